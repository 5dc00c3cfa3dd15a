// What a client can know about the accounts it uses, and so the judge of every answer. Exact where operations on an
// account do not overlap; a range where they do, since either order is right then. Pure, one thread.
//
// For each operation the model keeps the balance settled when it was sent (everything answered before that must be
// visible to it) and the range of what overlapping writes can add or take. An answer outside is wrong. A write whose
// outcome is unknown (no answer, 5xx) makes the model forget the account until it has been read again undisturbed.
//
// Interest must be right for the very balance that its own answer implies. What others may see of it while it is under
// way is anything up to the interest on the most that the account can hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "tests/traffic/answer_check.hpp"
#include "tests/traffic/price_model.hpp"
#include "tests/traffic/workload.hpp"

namespace phoenix::traffic {

class AccountModel {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Ticket = std::uint64_t;

  /// An uncertain write may still be applied; accounts are re-read no earlier than `settle` after it.
  AccountModel(FeeModel model, std::chrono::milliseconds settle) : model_(model), settle_(settle) {}

  /// The balance as read before any traffic.
  void open(std::int64_t account, std::int64_t balance_minor);

  /// The operation is about to be sent.
  Ticket begin(const Operation& operation, TimePoint now);
  /// It was answered (below 500). Returns what is wrong with the answer, including what parse_answer found.
  std::vector<Difference> complete(Ticket ticket, const ParsedAnswer& answer, TimePoint now);
  /// It was not answered, or with 5xx: a write may or may not have been applied.
  void fail(Ticket ticket, TimePoint now);

  /// The balance that must be read now; no value while operations are in flight or the account is unknown.
  [[nodiscard]] std::optional<std::int64_t> exact_balance(std::int64_t account) const;
  [[nodiscard]] std::uint64_t unknown_accounts() const;

 private:
  struct Range {
    std::int64_t low = 0;
    std::int64_t high = 0;
    void add(const Range& other) {
      low += other.low;
      high += other.high;
    }
  };
  struct InFlight;
  struct Account {
    std::int64_t settled_minor = 0;
    bool known = false;
    std::uint64_t generation = 0;  // changes when known changes; operations of older generations are not judged
    TimePoint unknown_since{};
    std::vector<InFlight*> in_flight;
  };
  /// Interest that was under way at the same time as an operation. It may have been paid on what was there before this
  /// operation began, and is there no more: a withdrawal that was answered sooner.
  struct Interest {
    int days = 0;
    std::int64_t most_before_minor = 0;
    const void* of = nullptr;  // the operation, while it is in flight
  };
  /// What one operation sees of, and does to, one account.
  struct Touch {
    std::int64_t account = 0;
    Range effect;  // not applied, or applied
    std::int64_t settled_minor = 0;
    Range overlap;  // of the writes that were in flight at any time while it was, interest apart
    std::vector<Interest> overlapping_interest;
    bool overlapped = false;
    std::uint64_t generation = 0;
  };
  struct InFlight {
    Operation operation;
    TimePoint sent_at;
    std::vector<Touch> touches;  // the operation's own account first
    [[nodiscard]] Touch* touch(std::int64_t account);
  };

  /// What the account may hold when the operation takes effect.
  [[nodiscard]] Range possible_balance(const Touch& touch) const;
  [[nodiscard]] std::int64_t most_without_present_interest(const Touch& touch) const;
  [[nodiscard]] std::optional<Difference> check_interest(const Operation& operation, const ParsedAnswer& answer) const;
  [[nodiscard]] bool beyond_limit(const InFlight& op) const;
  std::vector<Touch> expected_touches(const Operation& operation) const;
  void judge_refusal(const InFlight& op, std::vector<Difference>& out) const;
  void judge_accepted(const InFlight& op, const ParsedAnswer& answer, std::int64_t told_minor,
                      std::vector<Difference>& out);
  void settle(InFlight& op, const Touch& touch, std::int64_t told_minor);
  void learn(const InFlight& op, std::int64_t balance_minor);
  void forget(std::int64_t account, TimePoint since);
  void remove(Ticket ticket);

  const FeeModel model_;
  const std::chrono::milliseconds settle_;
  std::unordered_map<std::int64_t, Account> accounts_;
  std::unordered_map<Ticket, InFlight> in_flight_;
  Ticket next_ticket_ = 1;
};

}  // namespace phoenix::traffic
