// The evidence of one slice on its current rung. Pure: fed in the order of the log, it gives the same score on replay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "core/events/control_events.hpp"
#include "core/model/consistency_score.hpp"
#include "core/model/verdict.hpp"

namespace phoenix::arbiter {

struct ScoreParameters {
  double p0 = 0.001;
  double alpha = 0.01;
  double average_run_length = 1e6;
  bool trip_on_first_balance_mismatch = true;
};

/// What is stored of a window; the units stand in a table of their own.
struct WindowState {
  std::uint64_t rung = 0;
  ScoreEvent::Class reads, writes;
  std::uint64_t received = 0, excluded = 0, decided = 0, unknown = 0;
  std::uint64_t confirmed_balance_mismatches = 0;
  std::uint64_t split_keys = 0;
  std::array<ForeignChanges, 2> foreign_unpaired;  ///< by side
  std::uint64_t evidence_rows = 0;                 ///< exchanges whose bodies were kept
  std::array<double, 4> cusum{};
  bool cusum_tripped = false;
  std::string trip_reason;
};
std::string encode(const WindowState& state);
Result<WindowState> decode_window_state(std::string_view text);

class ScoreWindow {
 public:
  ScoreWindow(ScoreParameters parameters, bool has_reads, bool has_writes);

  /// Takes up a stored window; the units follow with restore_unit().
  void restore(const WindowState& state);
  void restore_unit(std::string unit) { units_.insert(std::move(unit)); }

  /// Call with the rung of every exchange before counting it: a newer rung starts the evidence anew. False for an
  /// exchange of an older rung, which says nothing about this one.
  bool enter(std::uint64_t rung);

  void received(bool excluded);
  struct Decision {
    Verdict verdict = Verdict::unknown;
    bool write = false;
    bool evidence = false;  ///< the client was answered 2xx
    std::string unit;       ///< identifies (account, route)
    std::string name;       ///< of the exchange, for the trip's reason
  };
  /// True when this was the first comparison of its unit.
  bool decided(const Decision& decision);
  /// The verdict of an exchange that was counted changed to `now`; `first`: it was the first of its unit.
  void revise(Verdict before, const Decision& now, bool first);
  /// `count` is negative when an exchange took over what had been reported on its account.
  void confirm_balance_mismatch(int count, const std::string& detail);
  /// True when the key was not known as split on this rung. Split keys are kept among the units.
  bool split(const std::string& key);
  static std::string split_unit(const std::string& key);
  /// A change outside Phoenix that no counterpart came for: it holds this rung.
  void foreign_unpaired(Side side, const std::string& currency, std::int64_t minor_units);
  /// False when this rung has kept enough bodies as evidence.
  bool keep_evidence();

  /// Everything but drift, pending, times and positions.
  [[nodiscard]] ScoreEvent score() const;
  [[nodiscard]] const WindowState& state() const { return state_; }
  [[nodiscard]] std::uint64_t pending() const {
    return state_.received - state_.excluded - state_.decided - state_.unknown;
  }

  static constexpr std::uint64_t kMaxEvidenceRows = 10'000;

 private:
  void note_rate(bool mismatch, const std::string& name);

  ScoreParameters parameters_;
  bool has_reads_;
  bool has_writes_;
  MismatchCusum cusum_;
  WindowState state_;
  std::unordered_set<std::string> units_;
};

}  // namespace phoenix::arbiter
