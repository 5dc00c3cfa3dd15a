// The real DecisionCore before the log of a run: takes every record as it comes and keeps the verdicts.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "arbiter/decision_core.hpp"
#include "tests/simulation/detector/world.hpp"

namespace phoenix::detector {

/// How the arbiter learns of the ledgers: from the change streams, or by reading accounts.
enum class StateSource { capture, query };

/// Where the test bed puts the number of an exchange: the last 48 bits of its id. 0: not an exchange's id.
std::uint64_t number_of(const std::string& exchange_id);

class ArbiterReader : public LogReader {
 public:
  explicit ArbiterReader(StateSource source);
  /// Whose accounts are read, and whose trace is written. Before the first record.
  void attach(World& world) { world_ = &world; }

  void exchange(std::int64_t now_us, const std::string& key, const std::string& frame) override;
  void state(std::int64_t now_us, const arbiter::StateRecord& record) override;
  void status(std::int64_t now_us, const std::string& text) override;
  [[nodiscard]] std::int64_t exchanges_end() const override { return exchanges_end_; }
  [[nodiscard]] bool anything_open() const override;

  struct Row {
    VerdictEvent event;
    std::int64_t decided_us = 0;
  };
  /// Verdicts that stand, without the plain matches.
  [[nodiscard]] const std::unordered_map<std::string, Row>& rows() const { return rows_; }
  [[nodiscard]] const arbiter::DecisionCore& core() const { return core_; }

 private:
  void take(std::int64_t now_us);
  void trace(const arbiter::DecidedVerdict& verdict) const;
  void read_wanted(std::int64_t now_us);
  void read(std::int64_t now_us, const std::string& account, Side side);

  const StateSource source_;
  arbiter::DecisionCore core_;
  World* world_ = nullptr;
  std::unordered_map<std::string, Row> rows_;
  std::int64_t exchanges_end_ = 0, states_end_ = 0, statuses_end_ = 0, next_look_us_ = 0;
  std::unordered_map<std::string, std::int64_t> due_us_;
};

}  // namespace phoenix::detector
