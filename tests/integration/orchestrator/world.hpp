// A world around the orchestrator: a database and an event log of its own, gateways that apply the policies they read
// and report, and an arbiter whose scores the test decides.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/events/control_events.hpp"
#include "core/events/event_log.hpp"
#include "core/http/client.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/orchestrator.hpp"

namespace phoenix::orchestrator {

/// Empty when PHOENIX_TEST_POSTGRES is not set; then the test says SKIPPED and returns.
std::string test_postgres();
#define SKIP_WITHOUT_POSTGRES()                           \
  if (::phoenix::orchestrator::test_postgres().empty()) { \
    WARN("SKIPPED: set PHOENIX_TEST_POSTGRES");           \
    return;                                               \
  }

class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // What the test sets:
  std::vector<std::string> gateways{"gw-1"};
  std::vector<KillLatch> gateway_latches;  ///< what gw-1 reports besides the policy's
  bool gateways_apply = true;
  bool legacy_up = true;
  std::uint64_t clean_units = 10'000;  ///< of the current rung, each class
  std::string trip_reason;
  bool scores_advance = true;
  std::vector<std::string> control_gateways;  ///< admin addresses for the configuration

  /// Text and parsed form of a configuration; `listen` 127.0.0.1:0.
  [[nodiscard]] std::string yaml() const;
  [[nodiscard]] config::Config config() const;
  /// Writes it to a file in the world's directory.
  [[nodiscard]] std::string config_file(const std::string& name = "phoenix.yml") const;
  [[nodiscard]] const std::string& database_url() const { return database_url_; }

  /// Gateways read and report, the arbiter publishes.
  void pump();
  /// Pumps until `done`; false after `timeout`.
  bool until(const std::function<bool()>& done, std::chrono::milliseconds timeout = std::chrono::seconds(20));

  /// The last policy published.
  TrafficPolicy policy;
  [[nodiscard]] SlicePolicy slice() const;
  std::vector<TrafficPolicy> seen;  ///< every policy, in order

  void sql(const std::string& statement) const;
  void database_away(bool away) const;

 private:
  std::string directory_, database_url_, name_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<Producer> producer_;
  std::unique_ptr<Consumer> consumer_;
  std::int64_t event_time_us_ = 1;
};

struct Answer {
  int status = 0;
  nlohmann::json body;
};
Answer get(const config::Endpoint& endpoint, const std::string& target);
Answer post(const config::Endpoint& endpoint, const std::string& target, const nlohmann::json& body);

/// A phoenix-orchestrator process.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  void kill(int signal);
  int wait();
  /// What it wrote to stderr so far.
  [[nodiscard]] std::string stderr_text() const;

 private:
  pid_t pid_ = -1;
  std::string stderr_path_;
};

}  // namespace phoenix::orchestrator
