#include "fixture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "core/runtime/config.hpp"

namespace phoenix::test {

using Json = nlohmann::json;

std::string get(const std::string& target, const std::string& fields) {
  return "GET " + target + " HTTP/1.1\r\nHost: bank.test\r\n" + fields + "\r\n";
}
std::string post(const std::string& target, const std::string& body, const std::string& fields) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: bank.test\r\nContent-Length: {}\r\n{}\r\n{}", target, body.size(),
                     fields, body);
}

World::World(std::string gateway_settings, std::string slice, std::string legacy_settings) {
  if (legacy_settings.empty())
    legacy_settings = fmt::format(R"({{endpoints: ["http://127.0.0.1:{}"]}})", legacy.port());
  config_text = fmt::format(R"(
event_log: {{sqlite: {{path: "{0}/events.db"}}}}
slices: [{1}]
gateway:
  id: gw-test
  state_dir: "{0}/state"
  listen: 127.0.0.1:0
  admin_listen: 127.0.0.1:0
  threads: 2
  legacy: {2}
  modern: {{endpoints: ["http://127.0.0.1:{3}"]}}
{4}
  routes:
    - {{name: deposits, match: {{methods: [POST], path: "/accounts/{{id}}/deposits"}}, key: {{path: id}}, shadow: dual}}
    - {{name: account, match: {{path: "/accounts/{{id}}"}}, key: {{path: id}}, shadow: dual}}
    - {{name: open, match: {{methods: [POST], path: /accounts}}, shadow: dual, creates: /id}}
    - {{name: transfers, match: {{methods: [POST], path: /transfers}}, key: {{json: [/from, /to]}}, shadow: dual}}
    - {{name: free, match: {{path: "/free/*"}}, shadow: dual}}
    - {{name: reports, match: {{methods: [GET], path: "/reports/*"}}, shadow: "off"}}
)",
                            dir.path(), slice, legacy_settings, modern.port(), gateway_settings);
  start();
}

World::~World() {
  // A test may leave backends held; the gateway is stopped first, with what is under way counted as timed out.
  if (gateway) stop(std::chrono::milliseconds(0));
}

void World::start() {
  write_config();
  const auto config = config::load(config_path());
  if (!config) throw std::runtime_error(config.error().message);
  log = open_event_log(*config);
  gateway = std::make_unique<phoenix::gateway::Gateway>(*config, *log);
  gateway->start();
}

void World::write_config() {
  std::ofstream(config_path()) << config_text;
}

void World::replace_config(const std::string& from, const std::string& to) {
  const auto at = config_text.find(from);
  if (at == std::string::npos) throw std::runtime_error("not in the configuration: " + from);
  config_text.replace(at, from.size(), to);
  write_config();
}

void World::stop(std::chrono::milliseconds deadline) {
  gateway->drain_and_stop(deadline);
  gateway.reset();
}

http::ClientResponse World::admin(const std::string& method, const std::string& target, const std::string& body) {
  http::Client client({"127.0.0.1", gateway->admin_port()}, std::chrono::seconds(20));
  return client.request(method, target, body).value();
}

Json World::status() {
  return Json::parse(admin("GET", "/status").body);
}

Json World::route(const std::string& name) {
  const Json now = status();
  for (const auto& route : now["routes"]) {
    if (route.at("route") == name) return route;
  }
  throw std::runtime_error("no route " + name);
}

bool World::settle() {
  return eventually([this] {
    const Json now = status();
    for (const auto& route : now["routes"]) {
      if (route["in_flight"] != 0) return false;
    }
    return true;
  });
}

http::ClientResponse World::policy(const std::string& stage, const std::string& weight, const std::string& more,
                                   const std::string& ttl) {
  return admin("PUT", "/policy",
               fmt::format(R"({{"v":1,"epoch":{},"ttl":"{}","slices":[{{"name":"s","stage":"{}","weight":"{}"}}]{}}})",
                           ++epoch, ttl, stage, weight, more));
}

std::vector<ExchangeEvent> World::events() {
  if (gateway) eventually([this] { return status()["event_log"]["queued"] == 0; });
  auto consumer = log->make_consumer(
      {{topics::kShadowRequests}, "", [](const TopicPartition&) { return ConsumerOptions::kBeginning; }, {}});
  std::vector<ExchangeEvent> all;
  while (true) {
    const auto records = consumer->poll(1000, std::chrono::milliseconds(0)).value();
    if (records.empty()) return all;
    for (const auto& record : records) all.push_back(decode_exchange_event(record.value).value());
  }
}

namespace {

// What the counters say was published, out of GET /status; checks by the way that every exchange ended in one bucket.
std::uint64_t checked_published(const Json& status) {
  std::uint64_t published = 0;
  for (const auto& route : status["routes"]) {
    std::uint64_t ended = route["in_flight"].get<std::uint64_t>() + route["handed_over"].get<std::uint64_t>() +
                          route["lost"].get<std::uint64_t>();
    published += route["handed_over"].get<std::uint64_t>();
    for (const char* bucket : {"excluded", "dropped"}) {
      for (const auto& [reason, count] : route[bucket].items()) {
        ended += count.get<std::uint64_t>();
        const bool counted_only =
            reason == "unmatched" || reason == "bypass" || reason == "retired" || reason == "event_log_full";
        if (!counted_only) published += count.get<std::uint64_t>();
      }
    }
    INFO(route.dump());
    CHECK(route["received"] == ended);
  }
  return published;
}

}  // namespace

void World::check_accounts() {
  // An exchange may end while the log is read, a leg that is tried again for instance: then it is read once more.
  std::uint64_t published = 0;
  std::vector<ExchangeEvent> all;
  const bool still = eventually([&] {
    published = checked_published(status());
    all = events();
    return checked_published(status()) == published;
  });
  REQUIRE(still);
  const auto repeats =
      std::count_if(all.begin(), all.end(), [](const ExchangeEvent& event) { return event.calibration; });
  CHECK(all.size() - static_cast<std::size_t>(repeats) == published);
}

}  // namespace phoenix::test
