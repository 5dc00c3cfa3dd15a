// A real gateway between two scripted backends, with its event log in a directory of its own.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/events/event_log.hpp"
#include "core/events/exchange_event.hpp"
#include "core/http/client.hpp"
#include "fake_backend.hpp"
#include "gateway/gateway.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/poll_until.hpp"
#include "tests/support/raw_client.hpp"
#include "tests/support/temp_dir.hpp"

namespace phoenix::test {

inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
  return poll_until(condition, deadline);
}

std::string get(const std::string& target, const std::string& fields = "");
std::string post(const std::string& target, const std::string& body = "{}", const std::string& fields = "");

/// Routes: GET|… /accounts/{id}, POST /accounts/{id}/deposits, POST /accounts (creates /id),
/// POST /transfers (keys /from and /to), /free/* (no key), /off/* (not shadowed, reads).
struct World {
  /// `legacy_settings`: in place of the section `legacy`, whose endpoint else is the backend `legacy`.
  explicit World(std::string gateway_settings = "", std::string slice = "{name: s, stage: shadow}",
                 std::string legacy_settings = "");
  ~World();

  void start();
  void stop(std::chrono::milliseconds deadline = std::chrono::seconds(10));
  [[nodiscard]] std::uint16_t port() const { return gateway->port(); }

  nlohmann::json status();
  [[nodiscard]] nlohmann::json route(const std::string& name);
  /// Waits until nothing is in flight.
  bool settle();
  http::ClientResponse admin(const std::string& method, const std::string& target, const std::string& body = "");
  /// PUT /policy for slice `s`; the epoch rises by itself.
  http::ClientResponse policy(const std::string& stage, const std::string& weight = "0", const std::string& more = "",
                              const std::string& ttl = "60s");
  /// Every exchange event in the log; waits until the producer has nothing queued.
  std::vector<ExchangeEvent> events();
  /// received = in_flight + handed_over + excluded + dropped for every route, and the log holds exactly what it should.
  void check_accounts();

  TempDir dir;
  FakeBackend legacy, modern;
  std::string config_text;
  std::unique_ptr<EventLog> log;
  std::unique_ptr<phoenix::gateway::Gateway> gateway;
  std::uint64_t epoch = 0;
};

}  // namespace phoenix::test
