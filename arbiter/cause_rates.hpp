// Which rate a side applies to an amount, learned from the exchanges seen: each votes for the rates that fit it.
// Bounded; a function of the observations in their order. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace phoenix::arbiter {

class RateVotes {
 public:
  /// `result` was charged on `base`, both in the same minor units.
  void observe(std::int64_t base, std::int64_t result);
  /// Enough was seen to hold a rate that is not among `supported()` for wrong.
  [[nodiscard]] bool settled() const { return total_ >= kSettled && !supported().empty(); }
  /// Rates with at least kSupport votes, and a share that small amounts alone do not give; most votes first.
  [[nodiscard]] std::vector<std::int64_t> supported() const;

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] const std::vector<std::pair<std::int64_t, std::uint64_t>>& votes() const { return votes_; }
  void restore(std::uint64_t total, std::vector<std::pair<std::int64_t, std::uint64_t>> votes);

  static constexpr std::size_t kRatesKept = 8;
  static constexpr std::uint64_t kSupport = 3;
  static constexpr std::uint64_t kSettled = 8;

 private:
  std::uint64_t total_ = 0;
  std::vector<std::pair<std::int64_t, std::uint64_t>> votes_;  // rate, votes; in the order of their arrival
};

}  // namespace phoenix::arbiter
