#include "world.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <sstream>
#include <thread>

#include "core/runtime/clock.hpp"
#include "orchestrator/database.hpp"
#include "tests/support/catch.hpp"

namespace phoenix::orchestrator {

std::string test_postgres() {
  const char* url = std::getenv("PHOENIX_TEST_POSTGRES");
  return url == nullptr ? "" : url;
}

World::World() {
  RandomSource random(random_seed());
  name_ = "phoenix_test_orchestrator_" + std::to_string(random.next() % 1'000'000'000);
  directory_ = (std::filesystem::temp_directory_path() / name_).string();
  std::filesystem::create_directories(directory_);
  database_url_ = with_database(test_postgres(), name_);
  log_ = open_event_log(config());
  producer_ = log_->make_producer();
  consumer_ = log_->make_consumer(
      {{topics::kRoutingControl}, "", [](const TopicPartition&) { return ConsumerOptions::kBeginning; }, {}});
}

World::~World() {
  consumer_.reset();
  producer_.reset();
  log_.reset();
  std::filesystem::remove_all(directory_);
  try {
    pqxx::connection maintenance(with_database(test_postgres(), "postgres"));
    pqxx::nontransaction session(maintenance);
    session.exec("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
  } catch (const std::exception& e) {
    WARN("cannot drop " << name_ << ": " << e.what());
  }
}

std::string World::yaml() const {
  std::string gateways_yaml;
  for (const auto& gateway : control_gateways)
    gateways_yaml += (gateways_yaml.empty() ? "" : ", ") + ("\"http://" + gateway + "\"");
  return "mode: local\n"
         "migration: {name: core-banking, salt: \"1\"}\n"
         "event_log: {sqlite: {path: " +
         directory_ +
         "/events.db}}\n"
         "slices: [{name: payments, stage: shadow}]\n"
         "gateway:\n"
         "  admin_listen: 127.0.0.1:1\n"  // nothing listens there: a kill must not reach a gateway of this machine
         "  legacy: {endpoints: [\"http://127.0.0.1:1\"]}\n"
         "  modern: {endpoints: [\"http://127.0.0.1:2\"]}\n"
         "  routes:\n"
         "    - {name: balance, slice: payments, match: {methods: [GET], path: \"/accounts/{account}\"}, key: {path: "
         "account}}\n"
         "    - {name: deposit, slice: payments, match: {methods: [POST], path: \"/accounts/{account}/deposits\"}, "
         "key: {path: account}, shadow: dual}\n"
         "control: {gateways: [" +
         gateways_yaml +
         "]}\n"
         "orchestrator:\n"
         "  listen: 127.0.0.1:0\n"
         "  database: \"" +
         database_url_ +
         "\"\n"
         "  policy_ttl: 2s\n"
         "  policy_renew: 300ms\n"
         "  tick: 20ms\n"
         "  ramp: {steps: [1, 5, 25, 100], p0: 1%, alpha: 5%}\n";
}

config::Config World::config() const {
  return config::parse(yaml(), "phoenix.yml").value();
}

std::string World::config_file(const std::string& name) const {
  const std::string path = directory_ + "/" + name;
  std::ofstream(path) << yaml();
  return path;
}

SlicePolicy World::slice() const {
  const auto* slice = policy.find("payments");
  return slice == nullptr ? SlicePolicy{} : *slice;
}

void World::pump() {
  const auto records = consumer_->poll(1'000, std::chrono::milliseconds(20));
  REQUIRE(records.has_value());
  for (const auto& record : *records) {
    policy = decode_traffic_policy(record.value).value();
    seen.push_back(policy);
  }
  for (const auto& id : gateways) {
    GatewayStatus status;
    status.gateway = id;
    status.incarnation = "1";
    status.applied_epoch = gateways_apply ? policy.epoch : 0;
    status.lease_live = true;
    status.slices = policy.slices;
    status.latches = policy.latches;
    if (id == "gw-1") status.latches.insert(status.latches.end(), gateway_latches.begin(), gateway_latches.end());
    status.backlog = {{"legacy", 0}, {"modern", 0}};
    status.backend_up = {{"legacy", legacy_up}, {"modern", true}};
    REQUIRE(producer_->publish(topics::kGatewayStatus, id, encode(status)));
  }
  if (scores_advance) event_time_us_ += 20'000;
  ScoreEvent score;
  score.slice = "payments";
  score.rung = slice().rung;
  score.reads.units = score.reads.exchanges = score.writes.units = score.writes.exchanges = {clean_units, 0};
  score.score = 1;
  score.coverage = 1;
  score.received = score.decided = clean_units * 2;
  score.trip_reason = trip_reason;
  score.event_time_us = event_time_us_;
  REQUIRE(producer_->publish(topics::kConsistencyScores, "payments", encode(score)));
}

bool World::until(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    pump();
  }
  return true;
}

void World::sql(const std::string& statement) const {
  pqxx::connection connection(database_url_);
  pqxx::work transaction(connection);
  transaction.exec(statement);
  transaction.commit();
}

void World::database_away(bool away) const {
  pqxx::connection maintenance(with_database(test_postgres(), "postgres"));
  pqxx::nontransaction session(maintenance);
  session.exec("ALTER DATABASE " + name_ + " ALLOW_CONNECTIONS " + (away ? "false" : "true"));
  if (away) session.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name_ + "'");
}

namespace {
Answer ask(const config::Endpoint& endpoint, const std::string& method, const std::string& target,
           const std::string& body) {
  http::Client client(endpoint, std::chrono::seconds(10));
  const auto response = client.request(method, target, body, {{"Content-Type", "application/json"}});
  if (!response) return {0, response.error().message};
  return {response->status, nlohmann::json::parse(response->body, nullptr, false)};
}
}  // namespace

Answer get(const config::Endpoint& endpoint, const std::string& target) {
  return ask(endpoint, "GET", target, "");
}
Answer post(const config::Endpoint& endpoint, const std::string& target, const nlohmann::json& body) {
  return ask(endpoint, "POST", target, body.is_string() ? body.get<std::string>() : body.dump());
}

Program::Program(const std::vector<std::string>& arguments) {
  stderr_path_ =
      (std::filesystem::temp_directory_path() / ("phoenix_stderr_" + std::to_string(::getpid()) + "_" +
                                                 std::to_string(RandomSource(random_seed()).next() % 1'000'000'000)))
          .string();
  const std::string program = std::string(PHOENIX_BIN_DIR) + "/phoenix-orchestrator";
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int fd = ::open(stderr_path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(fd, 2);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  ::close(fd);
}

Program::~Program() {
  kill(SIGKILL);
  (void)wait();
  std::filesystem::remove(stderr_path_);
}

void Program::kill(int signal) {
  if (pid_ > 0) ::kill(pid_, signal);
}

int Program::wait() {
  if (pid_ <= 0) return -1;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Program::stderr_text() const {
  std::ostringstream text;
  text << std::ifstream(stderr_path_).rdbuf();
  return text.str();
}

}  // namespace phoenix::orchestrator
