// The independent judge of a schedule: it sees every commit of both banks and everything a client was told, and knows
// of the gateway only what that announces (overlap, incomplete keys), not how it decides.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/model/traffic_policy.hpp"
#include "tests/simulation/rules/ledger.hpp"

namespace phoenix::simulation {

struct Figures {
  long exchanges = 0;
  long stale_reads = 0;         ///< the answer lacked a write that some client had been told of before the read began
  long splits = 0;              ///< writes that one side accepted and the other refused
  long unexplained_splits = 0;  ///< of these, neither marked `overlap` nor on an account already named incomplete
  long unequal = 0;             ///< accounts that differ at the end and are not named incomplete
  long incomplete = 0;          ///< accounts that the gateway names incomplete at the end
  long doubled = 0;             ///< writes that one bank applied more than once
  long lost = 0;                ///< writes that one bank applied, the other never saw, on accounts not named incomplete
  long waits = 0;               ///< exchanges that waited for a side to become current
  long refused = 0;             ///< 503 for want of a current side
  std::int64_t waited_us = 0;   ///< by all of them together
  long beyond_cohort = 0;       ///< sent to modern as target although a key lies outside of the cohort
  long false_alarms = 0;        ///< reads compared and found to differ, on accounts that both banks had right
  long overtaken = 0;           ///< the same, where the shadow side served a write while the read was on its way there

  Figures& operator+=(const Figures& more);
};

class Oracle {
 public:
  Figures figures;

  void committed(Side side, const Operation& operation, const Ledger::Outcome& outcome);
  void client_told(const Operation& operation, int status, int account);
  /// How many writes of the account clients have been told of.
  [[nodiscard]] std::size_t told_of(int account) const;
  /// Whether the side lacks one of the first `operation.must_see` of them.
  [[nodiscard]] bool lacks_told(Side side, const Operation& operation) const;
  /// The gateway owned up to a possible difference before it could see it: overlap, or a key named incomplete.
  void explained(int write) { fate(write).explained = true; }
  /// Judges splits, losses and the accounts; once, at the end. `named`: accounts that a gateway names incomplete.
  void judge(const Ledger& legacy, const Ledger& modern, const std::set<int>& named);
  /// Write by write what judge() found, for the trace.
  [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }

 private:
  struct Fate {
    Operation operation;
    std::array<int, 2> applied{};
    std::array<bool, 2> refused{};
    std::array<int, 2> opened{};  // account
    bool explained = false;
  };
  Fate& fate(int write) {
    if (fates_.size() <= static_cast<std::size_t>(write)) fates_.resize(static_cast<std::size_t>(write) + 64);
    return fates_[static_cast<std::size_t>(write)];
  }
  void judge_write(const Fate& known, const std::set<int>& named);

  std::vector<Fate> fates_;
  std::map<int, std::vector<int>> told_;  // account → writes
  std::vector<std::string> findings_;
};

}  // namespace phoenix::simulation
