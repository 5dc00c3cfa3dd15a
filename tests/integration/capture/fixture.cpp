#include "fixture.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "core/http/client.hpp"
#include "tests/support/catch.hpp"

namespace phoenix::capture_test {
namespace {

using capture::PgConnection;

std::string get(const config::Endpoint& endpoint, const std::string& path, int expected) {
  http::Client client(endpoint, std::chrono::seconds(2));
  const auto answer = client.request("GET", path);
  return answer && answer->status == expected ? answer->body : "";
}

std::string side_yaml(const char* name, const SideSpec& side) {
  if (side.ledger == nullptr) return "";
  const bool has_tables = side.extra.find("tables:") != std::string::npos;
  return fmt::format("  {}: {{url: \"{}\", slot: {}, create: {}{}{}}}\n", name, side.ledger->url(), side.ledger->name(),
                     side.create, has_tables ? "" : ", tables: {accounts: {key: id}, postings: {key: account_id}}",
                     side.extra);
}

}  // namespace

std::string base_url() {
  const char* url = std::getenv("PHOENIX_TEST_POSTGRES");
  if (url != nullptr && *url != '\0') return url;
  std::puts("SKIPPED: set PHOENIX_TEST_POSTGRES");
  std::fflush(stdout);
  std::_Exit(0);
}

Ledger::Ledger(const std::string& base) : base_(base) {
  static int number = 0;
  name_ = fmt::format("phoenix_capture_test_{}_{}", getpid(), ++number);
  url_ = base_ + name_;
  PgConnection(base_ + "postgres", PgConnection::Kind::sql).run("CREATE DATABASE " + name_);
  run("CREATE TABLE accounts(id bigint PRIMARY KEY, balance numeric(18,2) NOT NULL)");
  run("CREATE TABLE postings(account_id bigint, seq bigserial, amount numeric(18,2), PRIMARY KEY (account_id, seq))");
  run("ALTER TABLE accounts REPLICA IDENTITY FULL");
  run("INSERT INTO accounts SELECT i, 100 FROM generate_series(1, 20) i");
}

Ledger::~Ledger() {
  try {
    drop_slot();
    connection_.reset();
    PgConnection(base_ + "postgres", PgConnection::Kind::sql).run("DROP DATABASE " + name_ + " WITH (FORCE)");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cannot drop %s: %s\n", name_.c_str(), error.what());
  }
}

PgConnection& Ledger::connection() {
  if (!connection_) connection_ = std::make_unique<PgConnection>(url_, PgConnection::Kind::sql);
  return *connection_;
}

void Ledger::run(const std::string& sql) {
  value(sql);
}

std::string Ledger::value(const std::string& sql) {
  try {
    return connection().value(sql);
  } catch (const Failure&) {
    connection_.reset();
    throw;
  }
}

std::string Ledger::post(int account, const std::string& amount, const std::string& exchange) {
  return value(
      fmt::format("WITH moved AS (UPDATE accounts SET balance = balance + {1} WHERE id = {0}),"
                  " booked AS (INSERT INTO postings(account_id, amount) VALUES ({0}, {1}))"
                  " SELECT pg_logical_emit_message(true, 'phoenix', '{{\"exchange_id\":\"{2}\"}}')",
                  account, amount, exchange));
}

std::string Ledger::confirmed_lsn() {
  return value("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + name_ + "'");
}

bool Ledger::all_confirmed() {
  // The cluster of the tests commits asynchronously: what is written to disk comes later than what is committed.
  const std::string end = value("SELECT pg_current_wal_insert_lsn()");
  return eventually(
      [&] {
        return value(fmt::format("SELECT confirmed_flush_lsn >= '{}' FROM pg_replication_slots WHERE slot_name = '{}'",
                                 end, name_)) == "t";
      },
      std::chrono::seconds(60));
}

void Ledger::drop_slot() {
  const std::string where = " FROM pg_replication_slots WHERE slot_name = '" + name_ + "'";
  // Whoever reads it may come back between the two steps.
  const bool gone = eventually([&] {
    run("SELECT pg_terminate_backend(active_pid)" + where + " AND active");
    try {
      run("SELECT pg_drop_replication_slot(slot_name)" + where + " AND NOT active");
    } catch (const capture::SqlFailure&) {
    }
    return value("SELECT count(*)" + where) == "0";
  });
  if (!gone) throw std::runtime_error("slot " + name_ + " cannot be dropped");
}

Desk::Desk(const SideSpec& legacy, const SideSpec& modern, const std::string& extra, const std::string& topic) {
  yaml_path_ = directory_.path() + "/phoenix.yml";
  text_ = fmt::format(
      "mode: local\nevent_log: {{sqlite: {{path: {}}}}}\ncapture:\n  listen: 127.0.0.1:0\n  topic: {}\n"
      "  heartbeat: 100ms\n  state_dir: {}/capture\n{}{}{}",
      log_path(), topic, directory_.path(), side_yaml("legacy", legacy), side_yaml("modern", modern), extra);
  std::ofstream(yaml_path_) << text_;
  log_ = open_event_log(config());
  ConsumerOptions options;
  options.topics = {topic};
  options.start_position = [](const TopicPartition&) { return ConsumerOptions::kBeginning; };
  consumer_ = log_->make_consumer(std::move(options));
}

config::Config Desk::config() const {
  return config::parse(text_, yaml_path_).value();
}

const std::vector<LogRecord>& Desk::read() {
  for (;;) {
    auto records = consumer_->poll(1'000, std::chrono::milliseconds(0)).value();
    if (records.empty()) return records_;
    records_.insert(records_.end(), std::make_move_iterator(records.begin()), std::make_move_iterator(records.end()));
  }
}

std::vector<nlohmann::json> Desk::changes() {
  std::vector<nlohmann::json> result;
  for (const auto& record : read()) {
    auto value = nlohmann::json::parse(record.value);
    if (value["op"] == "gap" || value["op"] == "m") continue;
    value["key"] = record.key;
    result.push_back(std::move(value));
  }
  return result;
}

std::vector<nlohmann::json> Desk::gaps() {
  std::vector<nlohmann::json> result;
  for (const auto& record : read()) {
    auto value = nlohmann::json::parse(record.value);
    if (value["op"] == "gap") result.push_back(std::move(value));
  }
  return result;
}

std::vector<nlohmann::json> Desk::all() {
  std::vector<nlohmann::json> result;
  for (const auto& record : read()) result.push_back(nlohmann::json::parse(record.value));
  return result;
}

std::int64_t Desk::add_exchange() {
  if (!producer_) producer_ = log_->make_producer();
  producer_->publish(topics::kShadowRequests, "", "an exchange");
  REQUIRE(producer_->flush(std::chrono::seconds(5)));
  return consumer_->query_end({topics::kShadowRequests, 0}).value();
}

std::string unready(const capture::CaptureService& service) {
  const std::string body = get(service.endpoint(), "/readyz", 503);
  return body.empty() ? "" : nlohmann::json::parse(body)["reason"].get<std::string>();
}

std::string metric(const capture::CaptureService& service, const std::string& name_and_labels) {
  const std::string page = "\n" + get(service.endpoint(), "/metrics", 200);
  const std::string line = "\nphoenix_capture_" + name_and_labels + " ";
  const auto at = page.find(line);
  if (at == std::string::npos) return "";
  return page.substr(at + line.size(), page.find('\n', at + 1) - at - line.size());
}

std::pair<std::uint64_t, std::uint64_t> identity(const nlohmann::json& change) {
  return {change["source"]["commit_lsn"].get<std::uint64_t>(),
          change["transaction"]["total_order"].get<std::uint64_t>()};
}

}  // namespace phoenix::capture_test
