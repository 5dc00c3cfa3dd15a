#include "core/runtime/config.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "core/runtime/config_section.hpp"

namespace phoenix::config {
namespace {

bool is_name_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/// Kafka allows 249 of these characters in a topic's name.
bool is_topic_prefix(const std::string& text) {
  return text.size() <= 200 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_name_char(c) || c == '.' || c == '-'; });
}

int line_of(const std::string& text, std::size_t position) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
}

// Replaces ${NAME} and ${NAME:-default}; a name without value and default is an error, so that a missing secret is
// seen.
std::string substitute_environment(const std::string& text, const std::string& file) {
  std::string out;
  std::size_t position = 0;
  while (position < text.size()) {
    const std::size_t start = text.find("${", position);
    out.append(text, position, start == std::string::npos ? std::string::npos : start - position);
    if (start == std::string::npos) break;
    const auto fail = [&](const std::string& problem) {
      throw Failure(ErrorCode::invalid_input, fmt::format("{}:{}: {}", file, line_of(text, start), problem));
    };
    const std::size_t close = text.find('}', start);
    if (close == std::string::npos) fail("'${' without '}'");
    const std::string inside = text.substr(start + 2, close - start - 2);
    const std::size_t dash = inside.find(":-");
    const std::string name = inside.substr(0, dash);
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_char))
      fail(fmt::format("'${{{}}}' names no variable", inside));
    const char* value = std::getenv(name.c_str());
    if (value != nullptr && *value != '\0') {
      out += value;
    } else if (dash != std::string::npos) {
      out += inside.substr(dash + 2);
    } else {
      fail(fmt::format("environment variable {} is not set; set it or write ${{{}:-default}}", name, name));
    }
    position = close + 1;
  }
  return out;
}

void read_event_log(Section log, EventLogConfig& out) {
  Section sqlite = log.section("sqlite");
  sqlite.read("path", out.sqlite.path);
  Section retain = sqlite.section("retain");
  milliseconds age = out.sqlite.retain_age;
  retain.read("age", age);
  out.sqlite.retain_age = std::chrono::duration_cast<std::chrono::seconds>(age);
  retain.read_bytes("bytes", out.sqlite.retain_bytes);
  retain.finish();
  sqlite.finish();
  Section kafka = log.section("kafka");
  kafka.read("brokers", out.kafka.brokers);
  kafka.read("partitions", out.kafka.partitions, 1, 10'000);
  kafka.read("topic_prefix", out.kafka.topic_prefix);
  if (!is_topic_prefix(out.kafka.topic_prefix)) {
    kafka.fail("topic_prefix: only letters, digits, '.', '_' and '-' may stand in it, at most 200 of them");
  }
  kafka.read_map("properties", out.kafka.properties);
  kafka.finish();
  log.finish();
}

void read_slices(Section& top, std::vector<SliceConfig>& out) {
  std::set<std::string> names;
  for (Section& slice : top.list("slices")) {
    SliceConfig config;
    config.name.clear();
    slice.read("name", config.name);
    slice.read_choice("stage", config.stage,
                      {{"bypass", Stage::bypass},
                       {"shadow", Stage::shadow},
                       {"canary", Stage::canary},
                       {"promoted", Stage::promoted},
                       {"retired", Stage::retired}});
    slice.read_weight("weight", config.weight_basis_points);
    slice.finish();
    if (config.name.empty() || config.name == "*") slice.fail("needs a name (not '*')");
    if (!names.insert(config.name).second) slice.fail(fmt::format("slice '{}' is declared twice", config.name));
    if (config.weight_basis_points > 0 && config.stage != Stage::canary)
      slice.fail("a weight counts in stage canary only");
    out.push_back(config);
  }
  if (out.empty()) out.emplace_back();
}

void read_arbiter(Section arbiter, ArbiterConfig& out, const std::vector<SliceConfig>& slices) {
  arbiter.read("listen", out.listen);
  arbiter.read("database", out.database);
  arbiter.read("settle", out.settle);
  read_state(arbiter, out);
  arbiter.read("score_interval", out.score_interval);
  arbiter.read("accepted_changes", out.accepted_changes);
  for (auto [name, ledger] : {std::pair{"legacy_db", &out.legacy_db}, std::pair{"modern_db", &out.modern_db}}) {
    Section section = arbiter.section(name);
    section.read("url", ledger->url);
    section.read("balance_query", ledger->balance_query);
    read_ledger_table(section.section("sweep"), ledger->sweep);
    read_resync(section.section("resync"), *ledger);
    section.finish();
    if (ledger->url.empty() && !ledger->balance_query.empty()) section.fail("a balance_query needs a url");
    if (!ledger->url.empty() && ledger->balance_query.empty() && out.state_source == StateSource::query)
      section.fail("a url needs a balance_query, because state_source is query");
    if (!ledger->balance_query.empty() && ledger->balance_query.find("$1") == std::string::npos) {
      section.fail("balance_query must take the account as $1");
    }
  }
  if (out.legacy_db.url.empty() != out.modern_db.url.empty())
    arbiter.fail("name both databases, legacy_db and modern_db, or neither");
  read_sweep(arbiter.section("sweep"), out, slices);
  arbiter.finish();
}

void read_orchestrator(Section orchestrator, OrchestratorConfig& out) {
  orchestrator.read("listen", out.listen);
  orchestrator.read("database", out.database);
  orchestrator.read("policy_ttl", out.policy_ttl);
  orchestrator.read("policy_renew", out.policy_renew);
  orchestrator.read("tick", out.tick);
  Section ramp = orchestrator.section("ramp");
  ramp.read_weights("steps", out.ramp.steps_basis_points);
  ramp.read_share("p0", out.ramp.p0);
  ramp.read_share("alpha", out.ramp.alpha);
  ramp.read_share("min_coverage", out.ramp.min_coverage);
  ramp.read("average_run_length", out.ramp.average_run_length, 1e3, 1e15);
  ramp.read_choice("balance_mismatch", out.ramp.trip_on_first_balance_mismatch,
                   {{"trip_on_first", true}, {"count", false}});
  ramp.read("max_score_age", out.ramp.max_score_age);
  ramp.read("min_step", out.ramp.min_step);
  ramp.finish();
  if (out.policy_renew * 2 > out.policy_ttl) orchestrator.fail("policy_renew must be at most half of policy_ttl");
  orchestrator.finish();
}

Config read_all(const std::string& text, const std::string& name) {
  Config config;
  config.path = name;
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  config.hash = fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  Section top(YAML::Load(text), name, "");
  top.read_choice("mode", config.mode, {{"local", Mode::local}, {"enterprise", Mode::enterprise}});
  Section migration = top.section("migration");
  migration.read("name", config.migration_name);
  migration.read("salt", config.salt);
  migration.finish();
  read_event_log(top.section("event_log"), config.event_log);
  read_slices(top, config.slices);
  config.has_gateway = top.has("gateway");
  if (config.has_gateway) read_gateway(top.section("gateway"), config.gateway, config);
  Section control = top.section("control");
  control.read("gateways", config.control_gateways);
  control.read("arbiter", config.control_arbiter);
  control.finish();
  read_arbiter(top.section("arbiter"), config.arbiter, config.slices);
  read_capture(top.section("capture"), config.capture);
  read_orchestrator(top.section("orchestrator"), config.orchestrator);
  check_state(top.section("arbiter"), config);
  top.finish();
  if (config.arbiter.database.empty()) config.arbiter.database = config.orchestrator.database;
  if (config.control_gateways.empty() && config.has_gateway)
    config.control_gateways.push_back(config.gateway.admin_listen);
  if (config.control_arbiter.host.empty()) config.control_arbiter = config.arbiter.listen;
  return config;
}

}  // namespace

const SliceConfig* Config::find_slice(std::string_view name) const {
  for (const auto& slice : slices) {
    if (slice.name == name) return &slice;
  }
  return nullptr;
}

Result<Config> parse(const std::string& text, const std::string& name) {
  try {
    return read_all(substitute_environment(text, name), name);
  } catch (const Failure& failure) {
    return Error{failure.code(), failure.what()};
  } catch (const YAML::Exception& error) {
    return invalid_input(fmt::format("{}:{}: {}", name, error.mark.line + 1, error.msg));
  }
}

Result<Config> load(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return invalid_input(fmt::format("cannot read configuration file '{}'; name one with --config FILE", path));
  }
  return parse(text.str(), path);
}

}  // namespace phoenix::config
