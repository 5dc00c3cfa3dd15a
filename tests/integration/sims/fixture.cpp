#include "fixture.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <pqxx/pqxx>

#include "core/sim/database_setup.hpp"
#include "legacy_sims/account_service.hpp"
#include "modern_sims/account_service.hpp"

namespace phoenix::sim_test {

std::string postgres_base_url() {
  const char* url = std::getenv("PHOENIX_TEST_POSTGRES");
  if (url && *url) return url;
  std::puts("SKIPPED: set PHOENIX_TEST_POSTGRES");
  std::fflush(stdout);
  std::_Exit(0);
}

namespace {

std::string unique_name(const std::string& purpose) {
  static std::atomic<int> number = 0;
  return fmt::format("phoenix_test_{}_{}_{}", purpose, getpid(), ++number);
}

std::string query_on(const std::string& url, const std::string& sql) {
  pqxx::connection connection(url);
  pqxx::nontransaction session(connection);
  const pqxx::result rows = session.exec(sql);
  return rows.empty() || rows.columns() == 0 ? std::string() : rows[0][0].c_str();
}

}  // namespace

ScratchDatabase::ScratchDatabase(const std::string& purpose)
    : name_(unique_name(purpose)), url_(sim::with_database(postgres_base_url(), name_)) {
  drop();
}
ScratchDatabase::~ScratchDatabase() {
  drop();
}
void ScratchDatabase::drop() const {
  admin_query("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
}
std::string ScratchDatabase::query(const std::string& sql) const {
  return query_on(url_, sql);
}
std::string ScratchDatabase::admin_query(const std::string& sql) {
  return query_on(sim::with_database(postgres_base_url(), "postgres"), sql);
}

std::string Reply::at(const std::string& pointer) const {
  const ExactJson document = json();
  const auto* scalar = document.find(pointer);
  return scalar ? scalar->text : "absent";
}

namespace {

sim::SimulatorKind only(sim::SimulatorKind kind, const std::string& flavour) {
  kind.flavours = {kind.flavour(flavour)};
  return kind;
}

}  // namespace

BankPair vip_fee_pair() {
  return {only(legacy_bank::simulator_kind(), "vip-fee"), only(modern_bank::simulator_kind(), "ledger")};
}

BankPair float_rounding_pair() {
  return {only(legacy_bank::simulator_kind(), "float-rounding"), only(modern_bank::simulator_kind(), "precision")};
}

std::vector<sim::SimulatorKind> all_banks() {
  return {vip_fee_pair().legacy, vip_fee_pair().modern, float_rounding_pair().legacy, float_rounding_pair().modern};
}

RunningSimulator::RunningSimulator(const sim::SimulatorKind& kind, std::int64_t seed_accounts, bool bug_compatible,
                                   int threads)
    : database_(kind.knows_bug_compatible ? "modern" : "legacy"),
      simulator_(std::make_unique<sim::Simulator>(
          kind, sim::SimulatorOptions{{"127.0.0.1", 0}, database_.url(), seed_accounts, threads, bug_compatible, ""})),
      client_(client()) {}

http::Client RunningSimulator::client() const {
  return http::Client(endpoint(), std::chrono::seconds{10});
}

Reply RunningSimulator::send(const std::string& method, const std::string& path, const std::string& body,
                             const std::string& exchange_id, const std::string& assigned_id) {
  std::vector<std::pair<std::string, std::string>> headers;
  if (!exchange_id.empty()) headers.emplace_back("X-Phoenix-Exchange", exchange_id);
  if (!assigned_id.empty()) headers.emplace_back("X-Phoenix-Assigned-Id", assigned_id);
  const auto response = client_.request(method, path, body, headers).value();
  return {response.status, response.body};
}

Reply RunningSimulator::deposit(std::int64_t account, const std::string& amount, const std::string& exchange_id) {
  return send("POST", fmt::format("/accounts/{}/deposits", account), fmt::format(R"({{"amount":{}}})", amount),
              exchange_id);
}

Reply RunningSimulator::withdraw(std::int64_t account, const std::string& amount, const std::string& exchange_id) {
  return send("POST", fmt::format("/accounts/{}/withdrawals", account), fmt::format(R"({{"amount":{}}})", amount),
              exchange_id);
}

Reply RunningSimulator::transfer(std::int64_t from, std::int64_t to, const std::string& amount,
                                 const std::string& exchange_id) {
  return send("POST", "/transfers",
              fmt::format(R"({{"from_account":{},"to_account":{},"amount":{}}})", from, to, amount), exchange_id);
}

Reply RunningSimulator::interest(std::int64_t account, int days, const std::string& exchange_id) {
  return send("POST", fmt::format("/accounts/{}/interest", account), fmt::format(R"({{"days":{}}})", days),
              exchange_id);
}

std::string RunningSimulator::balance(std::int64_t account) {
  return send("GET", fmt::format("/accounts/{}", account)).at("/balance");
}

Reply send(http::Client& client, const std::string& method, const std::string& path, const std::string& body,
           const std::string& exchange_id) {
  std::vector<std::pair<std::string, std::string>> headers;
  if (!exchange_id.empty()) headers.emplace_back("X-Phoenix-Exchange", exchange_id);
  const auto response = client.request(method, path, body, headers).value();
  return {response.status, response.body};
}

}  // namespace phoenix::sim_test
