// Where every received exchange ended (invariant 8):
//   received = in flight + handed over + excluded(reason) + dropped(reason)      exact, per route.
// Counters belong to one event loop and are plain integers: an exchange begins and ends on the same loop, and a scrape
// runs on each loop in turn. Sums over loops are therefore exact at any time.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/traffic_policy.hpp"
#include "core/telemetry/metrics.hpp"

namespace phoenix::gateway {

/// Decided before the outcome was known: leaves the score's denominator.
inline constexpr std::array<std::string_view, 10> kExcludedReasons{
    "unmatched",      "bypass",  "retired",        "shadow_off", "key_unavailable",
    "body_too_large", "overlap", "client_aborted", "gate_wait",  "upgrade"};
/// Not compared for a reason that came up on the way: stays in the denominator, or a slow rewrite could drive its own
/// evidence away.
inline constexpr std::array<std::string_view, 8> kDroppedReasons{
    "shadow_queue_full", "serving_failed",      "serving_uncertain", "event_log_full",
    "shutdown",          "assigned_id_missing", "client_aborted",    "body_refused"};
/// How a shadow leg ended.
inline constexpr std::array<std::string_view, 6> kShadowOutcomes{"ok",    "connect_failed", "timeout",
                                                                 "reset", "malformed",      "dropped"};

template <std::size_t N>
class ReasonCounts {
 public:
  explicit constexpr ReasonCounts(const std::array<std::string_view, N>& names) : names_(&names) {}
  void count(std::string_view reason) { ++counts_[position(reason)]; }
  void add(const ReasonCounts& more) {
    for (std::size_t i = 0; i < N; ++i) counts_[i] += more.counts_[i];
  }
  /// Every reason, also those that never occurred: a counter that starts at 0 shows its first step to a rate.
  [[nodiscard]] std::map<std::string, std::uint64_t> all() const {
    std::map<std::string, std::uint64_t> out;
    for (std::size_t i = 0; i < N; ++i) out.emplace((*names_)[i], counts_[i]);
    return out;
  }
  /// Only reasons that occurred.
  [[nodiscard]] std::map<std::string, std::uint64_t> nonzero() const {
    std::map<std::string, std::uint64_t> out;
    for (std::size_t i = 0; i < N; ++i) {
      if (counts_[i] > 0) out.emplace((*names_)[i], counts_[i]);
    }
    return out;
  }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto count : counts_) sum += count;
    return sum;
  }

 private:
  [[nodiscard]] std::size_t position(std::string_view reason) const {
    for (std::size_t i = 0; i < N; ++i) {
      if ((*names_)[i] == reason) return i;
    }
    std::abort();  // a reason outside the closed set is a programming error
  }
  const std::array<std::string_view, N>* names_;
  std::array<std::uint64_t, N> counts_{};
};

struct RouteCounters {
  std::uint64_t received = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t handed_over = 0;
  std::uint64_t parachutes = 0;  // answered by legacy because modern failed; part of those above
  std::uint64_t overrides = 0;   // whose side a person forced; part of those above
  ReasonCounts<kExcludedReasons.size()> excluded{kExcludedReasons};
  ReasonCounts<kDroppedReasons.size()> dropped{kDroppedReasons};
  ReasonCounts<kShadowOutcomes.size()> shadow{kShadowOutcomes};
  std::array<std::map<int, std::uint64_t>, 2> responses;  // by serving side: status -> count

  void add(const RouteCounters& more);
  [[nodiscard]] bool balanced() const {
    return received == in_flight + handed_over + excluded.total() + dropped.total();
  }
};

/// One event loop's counters.
struct LoopCounters {
  LoopCounters(std::size_t route_count, std::size_t slice_count)
      : routes(route_count), duration(route_count), side_deferred(slice_count) {}
  /// A reload may add routes; none goes.
  void resize(std::size_t route_count) {
    routes.resize(route_count);
    duration.resize(route_count);
  }
  std::deque<RouteCounters> routes;
  std::deque<std::array<telemetry::DurationHistogram, 2>> duration;  // by route and backend, both legs
  std::vector<std::uint64_t> side_deferred;                          // by slice
  std::map<std::string, std::uint64_t> rejected;                     // requests refused before routing, by status
  std::array<std::uint64_t, 2> tunnels{};                            // by side: upgraded connections begun
  std::array<std::uint64_t, 2> served{};                             // by side
  std::array<std::uint64_t, 2> serving_errors{};                     // by side: failed legs and 5xx
  std::array<std::uint64_t, 2> shadow_legs{};                        // by side
  std::array<std::uint64_t, 2> shadow_errors{};                      // by side: failed legs and 5xx
};

}  // namespace phoenix::gateway
