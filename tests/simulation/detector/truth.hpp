// What really happened: which exchanges differ because a bank is wrong, because overlapping writes were committed in
// another order, or because the two ledgers had been different before. Sees every commit; knows nothing of the arbiter.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>

#include "tests/simulation/detector/bank.hpp"

namespace phoenix::detector {

class Truth {
 public:
  enum class Kind : std::uint8_t {
    clean,
    injected,     ///< a bank's fault
    order,        ///< the same writes in another order gave another outcome
    consequence,  ///< the accounts had differed before, through a fault or a leg that was lost
  };
  struct Fate {
    Kind kind = Kind::clean;
    Fault fault = Fault::none;
    bool comparable = false;  ///< both legs were answered, and the gateway left nothing out
    /// Of a fault: the outcome follows from the balance, and that may have differed for another reason, by a lost leg,
    /// a job on one side, or an overlapping write. What the detector leaves undecided must be one of these.
    bool explained_otherwise = false;
    std::int64_t completed_us = 0;
    int account = 0;
  };

  void applied(Side side, const Operation& operation, const Applied& applied);
  /// A leg of a write was lost or is uncertain, or the account was moved from outside: from here on the ledgers differ.
  void disturbed(const Operation& operation);
  void disturbed(int account) {
    disturbed_.insert(account);
    apart(account);
  }
  /// The account is moved from outside on both sides, one after the other.
  void apart(int account) { innocent_[account] = ++disturbances_; }
  /// The exchange is over for the gateway.
  void over(const Operation& operation, bool comparable, bool overlap, std::int64_t now_us);

  /// Everything that is not clean.
  [[nodiscard]] const std::unordered_map<std::uint64_t, Fate>& fates() const { return fates_; }
  [[nodiscard]] Fate fate(std::uint64_t number) const;

 private:
  struct Outcome {
    bool known = false;
    int status = 0;
    std::int64_t amount_minor = 0, fee_minor = 0, found_minor = 0;
  };
  /// Of an account, modern's balance above legacy's. A run hardly lasts longer than clocks may be apart, so that `fell`
  /// and `rose` hold for all of it.
  struct Difference {
    std::int64_t above_minor = 0;
    bool fell = false, rose = false;
  };
  struct Pending {
    std::array<Outcome, 2> by_side;
    Fault fault = Fault::none;
    std::uint64_t began = 0;  ///< disturbances before it
    bool disturbed = false, innocent = false;
  };
  [[nodiscard]] bool was_disturbed(const Operation& operation) const;

  std::unordered_map<std::uint64_t, Pending> pending_;
  std::unordered_map<std::uint64_t, Fate> fates_;
  void faulted(const Operation& operation);
  void note_difference(const Operation& operation, const Pending& pending, bool overlap);
  [[nodiscard]] bool explained_by_balance(const Operation& operation, const Pending& pending, bool overlap,
                                          bool innocent) const;

  std::unordered_set<int> disturbed_;
  /// Those that may differ for another reason than a fault that is plain to see, until both sides have found the
  /// same again; by the number of the last disturbance.
  std::unordered_map<int, std::uint64_t> innocent_;
  std::uint64_t disturbances_ = 0;
  std::unordered_map<int, Difference> differences_;  ///< by account
};

}  // namespace phoenix::detector
