// What all event loops know about a backend: the health of each endpoint, the circuit breaker, how many requests are
// out. It survives a reload. Everything is thread-safe; while all goes well a request only reads it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/traffic_policy.hpp"
#include "core/runtime/config.hpp"
#include "gateway/asio.hpp"
#include "gateway/circuit_breaker.hpp"

namespace phoenix::gateway {

/// Why a request got no connection.
enum class Refusal { none, connect_failed, in_flight, circuit_open };
inline constexpr std::array<std::string_view, 4> kRefusals{"none", "connect_failed", "in_flight", "circuit_open"};
[[nodiscard]] inline std::string_view to_string(Refusal refusal) {
  return kRefusals[static_cast<std::size_t>(refusal)];
}

struct alignas(64) EndpointState {
  explicit EndpointState(std::string with_name) : name(std::move(with_name)) {}
  const std::string name;
  std::atomic<bool> connected{true};   // the latest connect worked
  std::atomic<bool> unhealthy{false};  // say the active checks
  std::atomic<SteadyTime::rep> ejected_until{0};
  std::atomic<int> failures{0};             // in a row
  std::atomic<std::uint64_t> in_flight{0};  // counted for least_requests only
  std::atomic<std::uint64_t> ejections{0};  // ever
  int repeats = 0;                          // ejections in close succession; under BackendGate::ejecting

  [[nodiscard]] bool is_ejected(SteadyTime now) const {
    return now.time_since_epoch().count() < ejected_until.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_usable(SteadyTime now) const {
    return !unhealthy.load(std::memory_order_relaxed) && !is_ejected(now);
  }
  /// For people: `up`, `ejected`, `unhealthy` or `unreachable`.
  [[nodiscard]] std::string_view state(SteadyTime now) const;
};

/// Of one side, for as long as the process runs.
struct BackendGate {
  CircuitBreaker breaker;
  std::atomic<std::uint64_t> in_flight{0};  // counted only where there is a limit
  std::array<std::atomic<std::uint64_t>, kRefusals.size()> refused{};
  std::mutex ejecting;
};

class BackendState {
 public:
  BackendState(Side side, config::BackendConfig config, std::vector<std::shared_ptr<EndpointState>> endpoints,
               std::shared_ptr<BackendGate> gate);

  const Side side;
  const config::BackendConfig config;
  const std::vector<std::shared_ptr<EndpointState>> endpoints;  // in the order of the configuration
  const std::shared_ptr<BackendGate> gate;

  /// What a connect came to; `why` is logged when it is news.
  void note_connect(std::size_t endpoint, bool worked, std::string_view why);
  /// What an active check came to.
  void note_health(std::size_t endpoint, bool healthy);
  void succeeded(std::size_t endpoint);
  /// A failed connect, a reset, a time-out, a malformed answer or a 502..504. May eject the endpoint.
  void failed(std::size_t endpoint, SteadyTime now);
  /// Some endpoint can be reached, as far as is known.
  [[nodiscard]] bool is_up() const;

 private:
  void eject(EndpointState& endpoint, SteadyTime now);
};
using BackendStatePtr = std::shared_ptr<BackendState>;

/// One request's use of a backend. When it ends, health and circuit breaker learn how it went.
class Lease {
 public:
  enum class Verdict { unknown, good, bad };
  Lease() = default;
  Lease(Lease&& other) noexcept { *this = std::move(other); }
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { end(); }

  /// For a serving leg: passes the breaker and counts against the limit, or says why not.
  Refusal enter(BackendState& backend, SteadyTime now);
  /// For a shadow leg, which has bounds of its own.
  void enter_ungated(BackendState& backend) { backend_ = &backend; }
  /// The endpoint it goes to; `active` counts it until the end.
  void attach(std::size_t endpoint, std::size_t& active);
  /// What is known so far; the last word counts. The breaker learns at once that its trial went well: the answer's body
  /// may take hours.
  void judge(Verdict verdict);
  void end();

 private:
  BackendState* backend_ = nullptr;
  EndpointState* counted_at_ = nullptr;
  std::size_t* active_ = nullptr;
  std::size_t endpoint_ = 0;
  CircuitBreaker::Pass pass_ = CircuitBreaker::Pass::refused;  // refused: not gated
  bool limited_ = false;
  Verdict verdict_ = Verdict::unknown;
};

/// Finds the state that belongs to a configuration: what is known of an endpoint stays while its name stands there.
class BackendRegistry {
 public:
  BackendStatePtr find(Side side, const config::BackendConfig& config);

 private:
  std::mutex mutex_;
  std::array<BackendStatePtr, 2> current_;
  std::array<std::shared_ptr<BackendGate>, 2> gates_{std::make_shared<BackendGate>(), std::make_shared<BackendGate>()};
};

}  // namespace phoenix::gateway
