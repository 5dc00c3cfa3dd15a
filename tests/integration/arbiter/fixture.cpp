#include "fixture.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <thread>

#include "core/http/client.hpp"
#include "core/model/decimal.hpp"
#include "tests/support/exchange_builder.hpp"

namespace phoenix::arbiter_test {
namespace {

std::string base_url() {
  const char* url = std::getenv("PHOENIX_TEST_POSTGRES");
  if (url && *url) return url;
  std::puts("SKIPPED: set PHOENIX_TEST_POSTGRES");
  std::fflush(stdout);
  std::_Exit(0);
}

int next_number() {
  static int number = 0;
  return ++number;
}

config::RouteConfig deposits_route() {
  config::RouteConfig route;
  route.name = "deposits";
  route.slice = "payments";
  route.methods = {"POST"};
  route.path = "/accounts/{account}/deposits";
  route.key.path = "account";
  route.shadow = config::ShadowMode::dual;
  route.compare = {{"/id"}, "/balance"};
  return route;
}

}  // namespace

ScratchDatabase::ScratchDatabase(const std::string& purpose, bool create)
    : name_(fmt::format("phoenix_arbiter_test_{}_{}_{}", purpose, getpid(), next_number())), url_(base_url() + name_) {
  admin("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
  if (create) admin("CREATE DATABASE " + name_);
}

ScratchDatabase::~ScratchDatabase() {
  admin("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
}

std::vector<std::string> ScratchDatabase::rows(const std::string& sql) const {
  pqxx::connection connection(url_);
  pqxx::nontransaction session(connection);
  std::vector<std::string> lines;
  for (const auto& row : session.exec(sql)) {
    std::string line;
    for (pqxx::row::size_type i = 0; i < row.size(); ++i) line += (i == 0 ? "" : "|") + std::string(row[i].c_str());
    lines.push_back(line);
  }
  return lines;
}

std::string ScratchDatabase::value(const std::string& sql) const {
  const auto lines = rows(sql);
  return lines.empty() ? "" : lines.front();
}

void ScratchDatabase::admin(const std::string& sql) {
  pqxx::connection connection(base_url() + "postgres");
  pqxx::nontransaction session(connection);
  session.exec(sql);
}

Bench::Bench(const std::string& database_url, std::uint64_t retain_bytes) {
  directory_ = std::filesystem::temp_directory_path() / fmt::format("phoenix-arbiter-{}-{}", getpid(), next_number());
  std::filesystem::create_directories(directory_);
  config.event_log.sqlite.path = directory_ + "/events.db";
  if (retain_bytes > 0) config.event_log.sqlite.retain_bytes = retain_bytes;
  config.slices = {{"payments", Stage::shadow, 0}};
  config.gateway.routes = {deposits_route()};
  config.arbiter.listen = {"127.0.0.1", 0};
  config.arbiter.database = database_url;
  log_ = open_event_log(config);
  producer_ = log_->make_producer();
}

Bench::~Bench() {
  producer_.reset();
  log_.reset();
  std::filesystem::remove_all(directory_);
}

void Bench::use_kafka(const std::string& brokers, const std::string& topic_prefix) {
  producer_.reset();
  log_.reset();
  config.mode = config::Mode::enterprise;
  config.event_log.kafka.brokers = brokers;
  config.event_log.kafka.topic_prefix = topic_prefix;
  log_ = open_event_log(config);
  producer_ = log_->make_producer();
}

void Bench::publish(const std::vector<ExchangeEvent>& events) {
  for (const auto& event : events) {
    if (!producer_->publish_to(slice_partition(config, event.slice), topics::kShadowRequests, event.keys.front().key,
                               encode(event)))
      throw std::runtime_error("log full");
  }
  if (!producer_->flush(std::chrono::seconds(30))) throw std::runtime_error("log not written");
}

void Bench::publish_raw(const char* topic, const std::string& value) {
  producer_->publish(topic, "key", value);
  producer_->flush(std::chrono::seconds(10));
}

std::vector<LogRecord> Bench::read_all(const char* topic) {
  ConsumerOptions options;
  options.topics = {topic};
  options.start_position = [](const TopicPartition&) { return ConsumerOptions::kBeginning; };
  const auto consumer = log_->make_consumer(std::move(options));
  std::vector<LogRecord> all;
  for (;;) {
    auto records = consumer->poll(1'000, std::chrono::milliseconds(0)).value();
    if (records.empty()) return all;
    all.insert(all.end(), std::make_move_iterator(records.begin()), std::make_move_iterator(records.end()));
  }
}

std::string Bench::write_yaml() const {
  const std::string path = directory_ + "/phoenix.yml";
  std::string slices;
  for (const auto& slice : config.slices) slices += fmt::format("  - {{name: {}}}\n", slice.name);
  const auto& kafka = config.event_log.kafka;
  std::ofstream(path) << fmt::format(R"(
mode: {}
event_log:
  sqlite: {{path: {}}}
  kafka: {{brokers: "{}", topic_prefix: "{}", partitions: {}}}
slices:
{}
gateway:
  legacy: {{endpoints: ["http://127.0.0.1:1"]}}
  modern: {{endpoints: ["http://127.0.0.1:2"]}}
  routes:
    - name: deposits
      slice: {}
      match: {{methods: [POST], path: "/accounts/{{account}}/deposits"}}
      key: {{path: account}}
      shadow: dual
      compare: {{ignore: [/id], balance: /balance}}
arbiter: {{listen: "127.0.0.1:0", database: "{}"}}
)",
                                     config.mode == config::Mode::enterprise ? "enterprise" : "local",
                                     config.event_log.sqlite.path, kafka.brokers, kafka.topic_prefix, kafka.partitions,
                                     slices, config.slices.front().name, config.arbiter.database);
  return path;
}

ExchangeEvent deposit(std::uint64_t number, const std::string& account, std::uint64_t sequence,
                      const std::string& modern_fee, std::int64_t modern_gap_minor) {
  const auto balance = static_cast<std::int64_t>(sequence) * 1'000;
  const auto body = [&](const char* side, const std::string& fee, std::int64_t minor) {
    return fmt::format(R"({{"id":"{}-{}","fee":{},"balance":{}}})", side, number, fee, format_minor(minor, 2));
  };
  auto event = test::exchange(number, body("legacy", "0.10", balance),
                              body("modern", modern_fee, balance + modern_gap_minor), {{account, sequence}});
  event.request_headers = {{"Authorization", "Bearer secret"}, {"X-Request-Id", "r-1"}};
  event.request_body = R"({"amount":10.00})";
  return event;
}

std::vector<ExchangeEvent> deposits(std::uint64_t n, int accounts, int wrong_every) {
  std::vector<ExchangeEvent> events;
  std::map<int, std::uint64_t> sequences;
  std::map<int, std::int64_t> gaps;
  for (std::uint64_t i = 1; i <= n; ++i) {
    const int account = static_cast<int>(i * 7 % static_cast<std::uint64_t>(accounts));
    const bool wrong = wrong_every > 0 && i % static_cast<std::uint64_t>(wrong_every) == 0;
    if (wrong) gaps[account] += 5;
    events.push_back(
        deposit(i, fmt::format("acc-{}", account), ++sequences[account], wrong ? "0.05" : "0.10", gaps[account]));
  }
  return events;
}

std::string get(const config::Endpoint& endpoint, const std::string& path) {
  http::Client client(endpoint, std::chrono::seconds(5));
  const auto response = client.request("GET", path);
  return response && response->status == 200 ? response->body : "";
}

}  // namespace phoenix::arbiter_test
