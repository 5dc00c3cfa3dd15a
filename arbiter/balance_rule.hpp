// How legacy computes an amount from an account's balance, as interest is: a rate, a convention for days, a rounding.
// Learned from what legacy posted, and used to tell whether two amounts that were computed from different balances are
// the same rule on both. Integers only; a function of the observations in their order. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"

namespace phoenix::arbiter {

struct BalanceRule {
  enum class Rounding : std::uint8_t { half_up, half_even, cut };
  std::int64_t rate = 0;      ///< in parts of kRateUnit (cause_arithmetic.hpp)
  std::int64_t basis = 1;     ///< days of a year; 1: no days, a share of the balance
  bool months_of_30 = false;  ///< days are whole months of 30
  Rounding rounding = Rounding::half_up;

  /// In the balance's unit; nothing where the rule has no answer (no days stated, no whole months).
  [[nodiscard]] std::optional<std::int64_t> amount(std::int64_t balance, std::optional<std::int64_t> days) const;
  /// The same but for the rounding.
  [[nodiscard]] bool same_rate(const BalanceRule& other) const {
    return rate == other.rate && basis == other.basis && months_of_30 == other.months_of_30;
  }
  friend bool operator==(const BalanceRule&, const BalanceRule&) = default;
};

/// What one side computed, and from what; same unit.
struct BalanceAmount {
  std::int64_t before = 0, amount = 0;
};

enum class Recomputed : std::uint8_t {
  follows,      ///< one rule gives both amounts, each from its own balance
  contradicts,  ///< legacy's rule is known for balances like modern's, and gives legacy's amount but not modern's
  untold,       ///< the rule is not known
};

/// The rules of one route.
class BalanceRules {
 public:
  /// Legacy posted `amount` on `balance`, both in one unit.
  void observe(std::int64_t balance, std::optional<std::int64_t> days, std::int64_t amount);
  /// Those that give a good part of what was seen (accounts may have rates of their own), each with the rounding that
  /// fits best.
  [[nodiscard]] std::vector<BalanceRule> known() const;
  [[nodiscard]] Recomputed recompute(BalanceAmount legacy, BalanceAmount modern,
                                     std::optional<std::int64_t> days) const;

  [[nodiscard]] std::string encode() const;
  static Result<BalanceRules> decode(std::string_view text);

  static constexpr std::size_t kRulesKept = 24;
  static constexpr std::uint64_t kSupport = 8;
  static constexpr std::uint64_t kRemembered = 1'024;  ///< observations; then all votes are halved: tariffs change

 private:
  struct Vote {
    BalanceRule rule;
    std::uint64_t votes = 0;
    std::int64_t least = 0,
                 most = 0;  ///< balances from which it gave the amount: beyond them there may be another rate
  };
  [[nodiscard]] bool is_known(const Vote& vote) const;
  void add(std::int64_t balance, std::optional<std::int64_t> days, std::int64_t amount);

  std::uint64_t total_ = 0;
  std::vector<Vote> votes_;  // in the order of their arrival
};

}  // namespace phoenix::arbiter
