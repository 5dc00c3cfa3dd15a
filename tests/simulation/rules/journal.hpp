// What survives a SIGKILL of the gateway: stands for its memory-mapped journal. A record is there before the byte that
// it speaks of leaves: the intent before a write goes to the serving side, `sending` before its shadow leg goes out,
// the mark of an incomplete key before anybody acts on it. No I/O here: a store into a mapped page is there at once.
#pragma once

#include <map>
#include <vector>

#include "core/model/traffic_policy.hpp"
#include "tests/simulation/rules/ledger.hpp"

namespace phoenix::simulation {

class Journal {
 public:
  enum class State { intent, waiting, sending, incomplete };
  struct Record {
    Operation operation;
    Side served_by = Side::legacy;
    bool any_key = false;
    bool overlap = false;
    bool accepted = false;  // by the serving side
    State state = State::intent;
  };

  void intent(const Record& record) { records_[{kUnordered, record.operation.id}] = record; }
  /// Its shadow leg stands in the order of its keys, behind all that were so marked before.
  void waiting(const Operation& operation, bool overlap, bool accepted) {
    auto moved = records_.extract({kUnordered, operation.id});
    moved.key().first = ++order_;
    moved.mapped().operation = operation;
    moved.mapped().overlap = overlap;
    moved.mapped().accepted = accepted;
    moved.mapped().state = State::waiting;
    records_.insert(std::move(moved));
  }
  void sending(int exchange) { set_state(exchange, State::sending); }
  /// The keys are incomplete on the side that did not serve.
  void incomplete(int exchange) { set_state(exchange, State::incomplete); }
  void over(int exchange) {
    std::erase_if(records_, [&](const auto& each) {
      return each.second.operation.id == exchange && each.second.state != State::incomplete;
    });
  }
  void lose() { records_.clear(); }

  /// In the order in which their serving legs completed; those without outcome last.
  [[nodiscard]] std::vector<Record> replay() const {
    std::vector<Record> all;
    for (const auto& [place, record] : records_) all.push_back(record);
    return all;
  }

 private:
  static constexpr int kUnordered = 1 << 30;
  void set_state(int exchange, State state) {
    for (auto& [place, record] : records_) {
      if (record.operation.id == exchange) record.state = state;
    }
  }
  std::map<std::pair<int, int>, Record> records_;  // place in the order, exchange
  int order_ = 0;
};

}  // namespace phoenix::simulation
