// How the arbiter learns what the ledgers hold: `state_source`, `legacy_state`, `modern_state` and `jobs` of the
// section `arbiter`.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "core/runtime/config_section.hpp"

namespace phoenix::config {
namespace {

constexpr int kMaxScale = 18;

void read_side(Section side, StateTableConfig& out) {
  std::string table;
  side.read("table", table);
  side.read("account", out.account);
  side.read("balance", out.balance);
  side.read("currency", out.currency);
  side.read("currency_default", out.currency_default);
  if (side.has("scale")) side.read("scale", out.scale.emplace(), 0, kMaxScale);
  using Decimals = StateTableConfig::Decimals;
  side.read_choice("decimals", out.decimals,
                   {{"text", Decimals::text}, {"base64", Decimals::base64}, {"number", Decimals::number}});
  side.read("slice", out.slice);
  side.read("topics", out.topics);
  side.read("slot", out.slot);
  const bool given = side.has("table");
  side.finish();
  if (!given) {
    if (!out.topics.empty() || !out.slice.empty()) side.fail("table is missing: name the table that holds balances");
    return;
  }
  out.table = full_table_name(side, table);
  if (out.account.empty() || out.balance.empty()) side.fail("account and balance must name columns of the table");
  if (out.decimals == Decimals::base64 && !out.scale)
    side.fail("decimals: base64 needs scale, because without a schema Debezium's records do not tell it");
  for (const auto& topic : out.topics) {
    if (!is_topic_name(topic)) side.fail(fmt::format("topics: '{}' is no name of a topic", topic));
  }
}

void read_jobs(Section& arbiter, std::vector<JobConfig>& out) {
  std::set<std::string> names;
  for (Section& job : arbiter.list("jobs")) {
    JobConfig config;
    job.read("name", config.name);
    job.read("accounts", config.accounts);
    job.read("window", config.window);
    job.read_choice("amount", config.equal_amount, {{"equal", true}, {"any", false}});
    job.finish();
    if (config.name.empty()) job.fail("needs a name");
    if (!names.insert(config.name).second) job.fail(fmt::format("job '{}' is declared twice", config.name));
    if (config.accounts.empty()) job.fail("accounts must name at least one pattern, like '*'");
    if (config.window <= milliseconds(0)) job.fail("window must be above zero: how far apart the two sides may be");
    out.push_back(std::move(config));
  }
}

void choose_slice(const Section& side, StateTableConfig& state, const Config& all) {
  if (state.table.empty()) return;
  if (state.slice.empty() && all.slices.size() > 1) side.fail("needs slice: more than one is declared under slices");
  if (state.slice.empty()) state.slice = all.slices.front().name;
  if (all.find_slice(state.slice) == nullptr)
    side.fail(fmt::format("slice '{}' is not declared under slices", state.slice));
}

void check_captured(const Section& side, const char* name, const StateTableConfig& state,
                    const CaptureSideConfig& captured) {
  if (captured.url.empty() || captured.tables.contains(state.table)) return;
  std::string tables;
  for (const auto& [table, key] : captured.tables) tables += (tables.empty() ? "" : ", ") + table;
  side.fail(fmt::format("table {} is not captured; capture.{}.tables has {}", state.table, name, tables));
}

void check_debezium(const Section& arbiter, const Config& all) {
  const auto& [legacy, modern] = std::tie(all.arbiter.legacy_state, all.arbiter.modern_state);
  for (const auto& [name, state] : {std::pair{"legacy", &legacy}, {"modern", &modern}}) {
    if (!state->topics.empty()) continue;
    arbiter.fail(fmt::format("state_source: debezium needs {}_state.topics, like [{}.{}, {}.message]", name, name,
                             state->table, name));
  }
  for (const auto& topic : legacy.topics) {
    if (std::find(modern.topics.begin(), modern.topics.end(), topic) != modern.topics.end())
      arbiter.fail(fmt::format("topic {} stands under legacy_state and modern_state: its side is not known", topic));
  }
  if (all.mode != Mode::enterprise)
    arbiter.fail("state_source: debezium needs mode: enterprise, because Debezium writes to Kafka");
  if (all.arbiter.legacy_db.url.empty())
    arbiter.fail("state_source: debezium needs legacy_db and modern_db: the arbiter writes its markers there");
}

}  // namespace

void read_state(Section& arbiter, ArbiterConfig& out) {
  arbiter.read_choice(
      "state_source", out.state_source,
      {{"query", StateSource::query}, {"capture", StateSource::capture}, {"debezium", StateSource::debezium}});
  read_side(arbiter.section("legacy_state"), out.legacy_state);
  read_side(arbiter.section("modern_state"), out.modern_state);
  read_jobs(arbiter, out.jobs);
}

void check_state(Section arbiter, Config& all) {
  ArbiterConfig& own = all.arbiter;
  Section legacy = arbiter.section("legacy_state"), modern = arbiter.section("modern_state");
  choose_slice(legacy, own.legacy_state, all);
  choose_slice(modern, own.modern_state, all);
  if (own.state_source == StateSource::query) return;
  const char* const source = own.state_source == StateSource::debezium ? "debezium" : "capture";
  for (const auto& [name, state] : {std::pair{"legacy", &own.legacy_state}, {"modern", &own.modern_state}}) {
    if (state->table.empty()) arbiter.fail(fmt::format("state_source: {} needs {}_state with its table", source, name));
  }
  if (own.legacy_state.slice != own.modern_state.slice)
    arbiter.fail("legacy_state and modern_state must name the same slice: they are compared");
  if (own.state_source == StateSource::debezium) return check_debezium(arbiter, all);
  check_captured(legacy, "legacy", own.legacy_state, all.capture.legacy);
  check_captured(modern, "modern", own.modern_state, all.capture.modern);
  if (all.capture.topic != CaptureConfig{}.topic)
    arbiter.fail(fmt::format("state_source: capture reads {}, but capture.topic is {}", CaptureConfig{}.topic,
                             all.capture.topic));
}

}  // namespace phoenix::config
