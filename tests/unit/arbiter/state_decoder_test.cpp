// Every form in which a change stream may say what a ledger holds: change_records/NAME.json, and what is read from it
// in change_records/expected.txt. PHOENIX_GOLDEN=write writes that file anew, to be read before it is kept.
#include "arbiter/state_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "arbiter/debezium_decoder.hpp"
#include "tests/support/catch.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using Catch::Matchers::Contains;

namespace {

const std::string kFolder = std::string(PHOENIX_SOURCE_DIR) + "/tests/unit/arbiter/change_records/";

config::Config configured(const std::string& more_legacy = "", const std::string& more_modern = "scale: 2") {
  return config::parse(
             fmt::format("arbiter:\n"
                         "  legacy_state: {{table: accounts, currency: currency, topics: [legacy.public.accounts,"
                         " legacy.message, legacy.transaction], {}}}\n"
                         "  modern_state: {{table: ledger_accounts, balance: balance_minor, currency_default: EUR,"
                         " topics: [modern.public.ledger_accounts], {}}}\n",
                         more_legacy, more_modern),
             "phoenix.yml")
      .value();
}

std::string text_of(const std::optional<Decimal>& number) {
  return number ? number->to_string() : "-";
}

struct Outline {
  std::string operator()(const StateChange& c) const {
    static constexpr const char* kOps[] = {"create", "update", "remove", "snapshot"};
    return fmt::format("{} {} {}: {} -> {} {} exchange {} transaction {} at {}/{} {} us", to_string(c.side),
                       kOps[static_cast<int>(c.op)], c.account, text_of(c.before), text_of(c.after), c.currency,
                       c.exchange_id.empty() ? "-" : c.exchange_id, c.transaction.empty() ? "-" : c.transaction,
                       c.position.first, c.position.second, c.committed_at_us);
  }
  std::string operator()(const StateMarker& m) const {
    std::string after;
    for (const auto& [where, offset] : m.after) after += fmt::format(" after {} {}", where, offset);
    return fmt::format("{} marker covers {}{}", to_string(m.side), m.covers, after);
  }
  std::string operator()(const StateGap& g) const { return fmt::format("{} gap: {}", to_string(g.side), g.reason); }
  std::string operator()(const BalanceReading& r) const {
    return fmt::format("{} reading {} {} scale {} {}", to_string(r.side), r.account, r.balance_minor, r.scale,
                       r.currency);
  }
  std::string operator()(const StateIgnored& i) const { return "ignored: " + i.why; }
  std::string operator()(const DebeziumRow& row) const {
    return fmt::format("{} emitted {}/{}", (*this)(row.change), row.emitted.first, row.emitted.second);
  }
  std::string operator()(const DebeziumMessage& m) const {
    return fmt::format("{} message exchange {}{} transaction {} emitted {}/{}", to_string(m.side),
                       m.exchange_id.empty() ? "-" : m.exchange_id, m.malformed ? " (malformed)" : "", m.transaction,
                       m.emitted.first, m.emitted.second);
  }
};

template <class Record>
std::string outline(const Result<Record>& decoded) {
  return decoded ? std::visit(Outline{}, *decoded) : "refused: " + decoded.error().message;
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string decoded(const std::string& name, const std::string& value) {
  LogRecord record;
  record.value = value;
  if (!name.starts_with("debezium")) return outline(StateDecoder(configured()).decode(record));
  record.topic = name.find("-message") != std::string::npos           ? "legacy.message"
                 : value.find("ledger_accounts") != std::string::npos ? "modern.public.ledger_accounts"
                                                                      : "legacy.public.accounts";
  const bool base64 = name.ends_with("base64") || name.find("precise") != std::string::npos || name.ends_with("bytes");
  return outline(DebeziumDecoder(configured(base64 ? "scale: 2, decimals: base64" : "").arbiter).decode(record));
}

}  // namespace

TEST_CASE("each form of a change record is read as written beside it") {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  REQUIRE(paths.size() > 50);
  std::string lines;
  for (const auto& path : paths)
    lines += fmt::format("{}: {}\n", path.stem().string(), decoded(path.stem().string(), content(path)));
  if (const char* mode = std::getenv("PHOENIX_GOLDEN"); mode != nullptr && std::string(mode) == "write")
    std::ofstream(kFolder + "expected.txt") << lines;
  std::istringstream actual(lines), expected(content(kFolder + "expected.txt"));
  std::string line, other;
  while (std::getline(actual, line)) {
    REQUIRE(std::getline(expected, other));
    CHECK(line == other);
  }
  CHECK_FALSE(std::getline(expected, other));
}

TEST_CASE("a record that is cut anywhere is refused, never half read") {
  for (const char* name : {"capture-update", "debezium-schema-precise", "debezium-flattened", "debezium-message"}) {
    std::string value = content(kFolder + name + ".json");
    while (!value.empty() && value.back() == '\n') value.pop_back();
    for (std::size_t size = 1; size < value.size(); ++size) {
      const std::string read = decoded(name, value.substr(0, size));
      if (!read.starts_with("refused: ")) FAIL_CHECK(name << " cut at " << size << ": " << read);
    }
    CHECK_THAT(decoded(name, value + "x"), Contains("something follows"));
  }
}

TEST_CASE("heartbeats and transaction topics say nothing of accounts; oversized records are refused") {
  DebeziumDecoder decoder(configured().arbiter);
  LogRecord record;
  record.topic = "legacy.transaction";
  record.value = R"({"status":"BEGIN","id":"571"})";
  CHECK(outline(decoder.decode(record)) == "ignored: no rows");
  record.topic = "__debezium-heartbeat.legacy";
  CHECK(outline(decoder.decode(record)) == "ignored: no rows");
  record.topic = "legacy.public.accounts";
  record.value = "{\"a\":\"" + std::string(kMaxStateRecordBytes, 'x') + "\"}";
  CHECK_THAT(outline(decoder.decode(record)), Contains("bytes, more than 1048576"));
  CHECK_THAT(outline(StateDecoder(configured()).decode(record)), Contains("bytes, more than 1048576"));
  record.value = std::string(100'000, '[');
  CHECK_THAT(outline(decoder.decode(record)), Contains("nested too deeply"));
}

TEST_CASE("a schema that changes under way is followed") {
  DebeziumDecoder decoder(configured().arbiter);
  LogRecord record;
  record.topic = "legacy.public.accounts";
  record.value = content(kFolder + "debezium-schema-precise.json");
  CHECK_THAT(outline(decoder.decode(record)), Contains("300000 -> 299989.87"));
  record.value = content(kFolder + "debezium-schema-scale-4.json");
  CHECK_THAT(outline(decoder.decode(record)), Contains("0.1032 -> 0.188"));
  record.value = content(kFolder + "debezium-schema-double.json");
  CHECK_THAT(outline(decoder.decode(record)), Contains("decimal.handling.mode"));
}

TEST_CASE("decimals as JSON numbers are exact where the configuration says that they are") {
  LogRecord record;
  record.topic = "legacy.public.accounts";
  record.value = content(kFolder + "debezium-bare-double.json");
  DebeziumDecoder decoder(configured("decimals: number").arbiter);
  CHECK_THAT(outline(decoder.decode(record)), Contains("6039.92 -> 6029.79"));
}
