// Where every received exchange ended (invariant 8):
//   received = in flight + handed over + excluded(reason) + dropped(reason) + lost      exact, per route.
// Counters belong to one event loop and are plain integers: an exchange begins and ends on the same loop, and a scrape
// runs on each loop in turn. Sums over loops are therefore exact at any time. The account stands in a mapped file
// (account_file.hpp) and goes on after a restart; the other counters begin anew.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/traffic_policy.hpp"
#include "core/telemetry/metrics.hpp"

namespace phoenix::gateway {

/// Decided before the outcome was known: leaves the score's denominator.
inline constexpr std::array<std::string_view, 11> kExcludedReasons{
    "unmatched", "bypass",         "retired",   "shadow_off", "key_unavailable", "body_too_large",
    "overlap",   "client_aborted", "gate_wait", "upgrade",    "not_sampled"};
/// Not compared for a reason that came up on the way: stays in the denominator, or a slow rewrite could drive its own
/// evidence away.
inline constexpr std::array<std::string_view, 11> kDroppedReasons{
    "shadow_queue_full", "serving_failed",      "serving_uncertain", "event_log_full", "shutdown",    "route_gone",
    "client_aborted",    "assigned_id_missing", "spool_full",        "spool_expired",  "body_refused"};
/// In the event of an exchange that died with its gateway: counted as lost.
inline constexpr std::string_view kLost = "lost";
/// How a shadow leg ended.
inline constexpr std::array<std::string_view, 6> kShadowOutcomes{"ok",    "connect_failed", "timeout",
                                                                 "reset", "malformed",      "dropped"};

/// Counts by the closed set of reasons `Names`; nothing but integers.
template <const auto& Names>
class ReasonCounts {
 public:
  /// The new count.
  std::uint64_t count(std::string_view reason) { return ++counts_[position(reason)]; }
  void add(const ReasonCounts& more) {
    for (std::size_t i = 0; i < Names.size(); ++i) counts_[i] += more.counts_[i];
  }
  /// Every reason, also those that never occurred: a counter that starts at 0 shows its first step to a rate.
  [[nodiscard]] std::map<std::string, std::uint64_t> all() const {
    std::map<std::string, std::uint64_t> out;
    for (std::size_t i = 0; i < Names.size(); ++i) out.emplace(Names[i], counts_[i]);
    return out;
  }
  /// Only reasons that occurred.
  [[nodiscard]] std::map<std::string, std::uint64_t> nonzero() const {
    std::map<std::string, std::uint64_t> out;
    for (std::size_t i = 0; i < Names.size(); ++i) {
      if (counts_[i] > 0) out.emplace(Names[i], counts_[i]);
    }
    return out;
  }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto count : counts_) sum += count;
    return sum;
  }
  static std::size_t position(std::string_view reason) {
    for (std::size_t i = 0; i < Names.size(); ++i) {
      if (Names[i] == reason) return i;
    }
    std::abort();  // a reason outside the closed set is a programming error
  }

 private:
  std::array<std::uint64_t, Names.size()> counts_{};
};

/// The account of one route on one event loop: integers alone, in this order in the file.
struct Account {
  std::uint64_t received = 0;
  std::uint64_t handed_over = 0;
  std::uint64_t lost = 0;  // in flight when an earlier process died
  ReasonCounts<kExcludedReasons> excluded;
  ReasonCounts<kDroppedReasons> dropped;

  static constexpr std::size_t kColumns = 3 + kExcludedReasons.size() + kDroppedReasons.size();
  static constexpr std::size_t kHandedOver = 1, kFirstExcluded = 3, kFirstDropped = 3 + kExcludedReasons.size();
  /// Column by column, for the file and for whoever restores it; named in account_file.cpp.
  [[nodiscard]] std::uint64_t* columns() { return reinterpret_cast<std::uint64_t*>(this); }
  [[nodiscard]] const std::uint64_t* columns() const { return reinterpret_cast<const std::uint64_t*>(this); }

  [[nodiscard]] std::uint64_t ended() const { return handed_over + lost + excluded.total() + dropped.total(); }
  [[nodiscard]] std::uint64_t in_flight() const { return received - ended(); }
  void add(const Account& more) {
    for (std::size_t i = 0; i < kColumns; ++i) columns()[i] += more.columns()[i];
  }
};
static_assert(sizeof(Account) == Account::kColumns * sizeof(std::uint64_t));

struct RouteCounters {
  std::uint64_t parachutes = 0;  // answered by legacy because modern failed
  std::uint64_t overrides = 0;   // whose side a person forced
  ReasonCounts<kShadowOutcomes> shadow;
  std::array<std::map<int, std::uint64_t>, 2> responses;  // by serving side: status -> count

  void add(const RouteCounters& more);
};

/// One event loop's counters.
struct LoopCounters {
  explicit LoopCounters(std::size_t slice_count) : side_deferred(slice_count) {}
  /// By route; a reload may add routes, none goes. The accounts stand elsewhere and stay where they are.
  void use(std::vector<Account*> by_route) {
    accounts = std::move(by_route);
    routes.resize(accounts.size());
    duration.resize(accounts.size());
  }
  std::vector<Account*> accounts;
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
