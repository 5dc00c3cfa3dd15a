#include "arbiter/debezium_decoder.hpp"
#include "arbiter/json_span.hpp"
#include "arbiter/state_decoder.hpp"
#include "tests/fuzz/json_reference.hpp"
#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {
namespace {

using namespace phoenix::arbiter;
using Decimals = config::StateTableConfig::Decimals;

constexpr const char* kRows = "legacy.public.accounts";
constexpr const char* kMessages = "legacy.message";

config::Config configured(char mode) {
  config::Config config;
  config.arbiter.legacy_state.table = config.arbiter.modern_state.table = "public.accounts";
  config.arbiter.legacy_state.currency = "currency";
  config.arbiter.legacy_state.topics = {kRows, kMessages};
  config.arbiter.modern_state.balance = "balance_minor";
  config.arbiter.modern_state.scale = 2;
  if (mode == 'B') {
    config.arbiter.legacy_state.decimals = Decimals::base64;
    config.arbiter.legacy_state.scale = 2;
  }
  if (mode == 'N') config.arbiter.legacy_state.decimals = Decimals::number;
  return config;
}

void check_refusal(const Error& error) {
  check(!error.message.empty(), "a refusal says why");
  check(error.message.size() < 4096, "a refusal is short");
  check(error.message.find('\0') == std::string::npos, "a refusal can be stored");
}

void check_change(const StateChange& change, std::string_view text) {
  check(!change.account.empty() && change.account.find('\0') == std::string::npos, "an account can be stored");
  check(change.op == StateChange::Op::remove || change.after.has_value(), "a row that is there has its balance");
  check(change.committed_at_us >= 0, "a time is not before 1970");
  for (const auto& balance : {change.before, change.after}) {
    if (!balance) continue;
    const auto again = Decimal::parse(balance->to_string());
    check(again.has_value() && *again == *balance, "a balance is exact and finite");
  }
  check(nlohmann::json::accept(text) || text.find_first_of("eE\x80") != std::string_view::npos ||
            std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }),
        "what is read is JSON");
}

/// Where the reference reads an object or array, the walk passes all of it; what it refuses, the walk refuses, but for
/// what the two bound differently: depth, the size of numbers, and UTF-8, which the walk does not look at.
void check_walk(std::string_view text) {
  JsonWalk walk(text);
  while (walk.next()) {
  }
  const auto reference = read_json_tree(text);
  const bool walked = walk.error().empty();
  if (reference && reference->root.kind != JsonTree::Kind::scalar && reference->root.kind != JsonTree::Kind::other &&
      reference->deepest <= static_cast<std::size_t>(JsonWalk::kMaxDepth))
    check(walked, "a document that the reference reads");
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (walked && ascii && text.find_first_of("eEuU") == std::string_view::npos && text.size() < 300)
    check(reference.has_value(), "nothing but JSON is passed");
}

}  // namespace

void change_record(std::string_view input) {
  if (input.empty()) return;
  const char mode = input[0];
  LogRecord record;
  record.value = std::string(input.substr(1));
  check_walk(record.value);
  const config::Config config = configured(mode);
  if (mode == 'C') {
    record.topic = topics::kDbStateUpdates;
    const auto decoded = StateDecoder(config).decode(record);
    if (!decoded) return check_refusal(decoded.error());
    if (const auto* change = std::get_if<StateChange>(&*decoded)) check_change(*change, record.value);
    if (const auto* marker = std::get_if<StateMarker>(&*decoded))
      check(marker->covers >= 0, "a marker covers an offset");
    return;
  }
  record.topic = mode == 'M' ? kMessages : kRows;
  DebeziumDecoder decoder(config.arbiter);
  const auto decoded = decoder.decode(record);
  if (!decoded) return check_refusal(decoded.error());
  if (const auto* row = std::get_if<DebeziumRow>(&*decoded)) check_change(row->change, record.value);
  const auto again = decoder.decode(record);
  check(again.has_value() && again->index() == decoded->index(), "a record is read alike twice");
}

}  // namespace phoenix::fuzz
