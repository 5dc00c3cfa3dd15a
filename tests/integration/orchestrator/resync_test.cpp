// One account is brought over on two real ledgers, with gateways that say what is under way.
#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include "core/events/ledger_comparison.hpp"
#include "core/http/server.hpp"
#include "orchestrator/resync_plan.hpp"
#include "tests/support/catch.hpp"
#include "world.hpp"

using namespace phoenix;
using namespace phoenix::orchestrator;
using nlohmann::json;

namespace {

/// A gateway's admin port: the state of one key, and what it was told.
struct Gateway {
  std::atomic<int> behind{0};
  std::atomic<bool> incomplete{true};
  std::mutex mutex;
  std::vector<json> told;
  http::Server server{
      {{"127.0.0.1", 0}}, [this](const http::Request& request) {
        if (request.method == "GET") {
          const json legacy{{"behind", 0}, {"in_flight", 0}, {"incomplete", false}};
          const json modern{{"behind", behind.load()}, {"in_flight", 0}, {"incomplete", incomplete.load()}};
          return http::json_text(200, json{{"payments", {{"legacy", legacy}, {"modern", modern}}}}.dump());
        }
        const std::lock_guard lock(mutex);
        told.push_back(json::parse(request.body));
        return http::json_text(200, "{}");
      }};
};

std::string value(const World& world, const std::string& sql) {
  pqxx::connection connection(world.database_url());
  pqxx::nontransaction session(connection);
  return session.exec(sql)[0][0].c_str();
}

config::Config with_ledgers(const World& world) {
  auto config = world.config();
  config.arbiter.legacy_db.resync = {world.database_url(), "SELECT balance, currency FROM accounts WHERE id = $1", ""};
  config.arbiter.modern_db.resync = {
      world.database_url(), "SELECT minor / 100.0, currency FROM ledger_accounts WHERE id = $1",
      "INSERT INTO ledger_accounts VALUES ($1, $2::numeric * 100, $3) ON CONFLICT (id) DO UPDATE SET minor = "
      "excluded.minor, currency = excluded.currency"};
  return config;
}

}  // namespace

TEST_CASE("resync brings an account over when nothing of it is under way, tells the gateways and is on record") {
  SKIP_WITHOUT_POSTGRES();
  Gateway gateway;
  World world;
  world.control_gateways = {gateway.server.endpoint().to_string()};
  const auto config = with_ledgers(world);
  const Orchestrator orchestrator(config);
  REQUIRE(world.until([&] { return get(orchestrator.endpoint(), "/readyz").status == 200; }));
  world.sql("CREATE TABLE accounts (id text PRIMARY KEY, balance numeric(18,2), currency text)");
  world.sql("CREATE TABLE ledger_accounts (id text PRIMARY KEY, minor bigint, currency text)");
  world.sql("INSERT INTO accounts VALUES ('7', 10.50, 'EUR'), ('8', 3, 'EUR')");
  world.sql("INSERT INTO ledger_accounts VALUES ('7', 1049, 'EUR')");
  const auto modern = [&] { return value(world, "SELECT minor FROM ledger_accounts WHERE id = '7'"); };
  const auto resync = [&](json body) {
    body.update({{"by", "oncall"}, {"reason", "lost leg"}});
    return post(orchestrator.endpoint(), "/api/v1/slices/payments/resync", body);
  };

  const auto plan = resync({{"key", "7"}});
  CHECK(plan.status == 200);
  CHECK(plan.body["from"] == "legacy");
  CHECK(plan.body["legacy"] == "10.50, EUR");
  CHECK(plan.body["applied"] == false);
  CHECK(modern() == "1049");
  CHECK(resync({{"key", "7"}, {"from", "modern"}}).status == 409);  // modern lacks writes of it
  CHECK(resync({{"key", "9"}, {"apply", true}}).status == 409);     // legacy has no such account
  CHECK(resync({{"key", "*"}}).status == 400);

  gateway.behind = 1;
  const auto busy = resync({{"key", "7"}, {"apply", true}});
  CHECK(busy.status == 409);
  CHECK_THAT(busy.body["detail"].get<std::string>(), Catch::Contains("gave up after"));
  CHECK(modern() == "1049");
  CHECK(gateway.told.empty());

  gateway.behind = 0;
  const auto done = resync({{"key", "7"}, {"apply", true}});
  CHECK(done.status == 200);
  CHECK(done.body["applied"] == true);
  CHECK(done.body["wrote"] == true);
  CHECK(modern() == "1050");
  REQUIRE(gateway.told.size() == 1);
  CHECK(gateway.told[0]["keys"] == json::array({"7"}));
  CHECK(gateway.told[0]["side"] == "modern");
  CHECK(resync({{"key", "8"}, {"apply", true}}).body["wrote"] == true);  // an account that modern did not have
  CHECK(value(world, "SELECT minor FROM ledger_accounts WHERE id = '8'") == "300");

  const auto history = get(orchestrator.endpoint(), "/api/v1/history?verify=true");
  CHECK(history.body["verification"]["intact"] == true);
  std::vector<std::string> outcomes;
  for (const auto& row : history.body["history"]) {
    if (row["action"] == "resync") outcomes.push_back(row["to"].get<std::string>().substr(0, 9));
  }
  CHECK(outcomes == std::vector<std::string>{"begun", "not equal", "begun", "equal", "begun", "equal"});
}

TEST_CASE("which side an account is brought over from") {
  KeyAtGateway plain{"gw", {}, {}, {}}, no_modern{"gw", {}, {}, {false, true}}, no_legacy{"gw", {}, {}, {true, false}};
  CHECK(source_of({}, {plain, no_modern}, Stage::canary).value() == Side::legacy);
  CHECK(source_of({}, {no_legacy}, Stage::shadow).value() == Side::modern);
  CHECK_FALSE(source_of(Side::legacy, {no_legacy}, Stage::shadow).has_value());
  CHECK_FALSE(source_of({}, {no_legacy, no_modern}, Stage::shadow).has_value());
  CHECK(source_of(Side::modern, {no_legacy, no_modern}, Stage::shadow).value() == Side::modern);
  CHECK(source_of({}, {plain}, Stage::shadow).value() == Side::legacy);
  CHECK(source_of({}, {plain}, Stage::promoted).value() == Side::modern);
  CHECK_FALSE(source_of({}, {plain}, Stage::canary).has_value());
  CHECK(same_row(std::vector<std::optional<std::string>>{"1.10", "EUR"},
                 std::vector<std::optional<std::string>>{"1.1", "EUR"}));
  CHECK_FALSE(same_row(std::vector<std::optional<std::string>>{"1.10", std::nullopt},
                       std::vector<std::optional<std::string>>{"1.1", ""}));
  CHECK_FALSE(read_key_state("gw", "payments", R"({"payments":{"legacy":{"behind":[]}}})").has_value());
}
