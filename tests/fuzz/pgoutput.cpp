#include "arbiter/capture/pgoutput.hpp"

#include <nlohmann/json.hpp>

#include "arbiter/capture/change_envelope.hpp"
#include "arbiter/capture/replication_frame.hpp"
#include "arbiter/capture/transaction_assembler.hpp"
#include "arbiter/state_decoder.hpp"
#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {
namespace {

using namespace phoenix::capture;

bool within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_tuple(const Tuple& tuple, std::string_view bytes) {
  for (const auto& column : tuple) check(within(column.text, bytes), "a value lies within its message");
}

void check_message(std::string_view bytes) {
  const auto message = decode_pgoutput(bytes);
  if (!message) return check(!message.error().message.empty(), "a refusal says why");
  if (const auto* insert = std::get_if<Insert>(&*message)) check_tuple(insert->after, bytes);
  if (const auto* update = std::get_if<Update>(&*message)) check_tuple(update->after, bytes);
  if (const auto* text = std::get_if<LogicalMessage>(&*message))
    check(within(text->prefix, bytes) && within(text->content, bytes), "a text lies within its message");
  check(!decode_pgoutput(std::string(bytes) + "x"), "bytes behind a message are refused");
}

void check_change(const Change& change, const arbiter::StateDecoder& decoder) {
  LogRecord record;
  record.value = encode_change(change, {"legacy", "bank"}, 1).value;
  check(nlohmann::json::accept(record.value), "an envelope is JSON, whatever the values are");
  const auto decoded = decoder.decode(record);
  if (!decoded) return check(!decoded.error().message.empty(), "a refusal says why");
  const auto* read = std::get_if<arbiter::StateChange>(&*decoded);
  if (read == nullptr) return;
  check(read->position == std::pair{change.commit_lsn, change.total_order}, "a change keeps its place");
}

/// What the arbiter's decoder is to find.
config::Config configured() {
  config::Config config;
  config.arbiter.legacy_state.table = "public.accounts";
  return config;
}

}  // namespace

/// A stream: two bytes of length before each message of the plugin.
void pgoutput(std::string_view input) {
  (void)decode_frame(input);
  check_message(input);
  const arbiter::StateDecoder decoder(configured());
  const std::map<std::string, std::string> tables{{"public.accounts", "id"}};
  TransactionAssembler assembler(tables);
  for (Lsn lsn = 1; input.size() >= 2; ++lsn) {
    const std::size_t size = static_cast<unsigned char>(input[0]) * 256u + static_cast<unsigned char>(input[1]);
    const std::string_view bytes = input.substr(2, size);
    input.remove_prefix(2 + bytes.size());
    check_message(bytes);
    const auto message = decode_pgoutput(bytes);
    if (!message) return;
    const auto step = assembler.take(lsn, *message, [&](const Change& change) { check_change(change, decoder); });
    if (!step) return check(!step.error().message.empty(), "a refusal says why");
  }
}

}  // namespace phoenix::fuzz
