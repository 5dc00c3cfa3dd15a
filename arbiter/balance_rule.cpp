#include "arbiter/balance_rule.hpp"

#include <algorithm>
#include <cstdlib>

#include "arbiter/cause_arithmetic.hpp"
#include "arbiter/compact_text.hpp"

namespace phoenix::arbiter {
namespace {

using Rounding = BalanceRule::Rounding;
using Days = std::optional<std::int64_t>;

/// From here on an amount tells one simple rate from the next.
constexpr std::int64_t kTelling = 100;

/// 30/360 counts whole months of 28 to 31 days each; nothing when the days are none.
Days in_months(std::int64_t days) {
  const std::int64_t months = (days + 1) / 30;
  return months > 0 && std::abs(days - months * 30) <= months + 2 ? Days(months * 30) : std::nullopt;
}

/// The rules that give exactly this amount. `coarse`: rates in whole quarters of a per cent alone.
std::vector<BalanceRule> rules_giving(std::int64_t balance, Days days, std::int64_t amount, bool coarse) {
  std::vector<BalanceRule> rules;
  if (balance <= 0 || balance > kMostBase || amount < 0 || amount > balance) return rules;
  std::vector<BalanceRule> conventions{{0, 1, false, Rounding::half_up}};
  if (days) conventions = {{0, 365}, {0, 360}, {0, 366}, {0, 360, true}, {0, 1}};
  for (BalanceRule rule : conventions) {
    const Days counted = rule.basis == 1 ? Days(1) : rule.months_of_30 ? in_months(*days) : days;
    if (!counted || (rule.months_of_30 && *counted == *days)) continue;
    for (const auto rate : simplest_rates({balance, 0, 0, *counted, rule.basis}, amount, 4, coarse)) {
      for (const auto rounding : {Rounding::half_up, Rounding::half_even, Rounding::cut}) {
        rule.rate = rate;
        rule.rounding = rounding;
        if (rule.amount(balance, days) == amount) rules.push_back(rule);
      }
    }
  }
  return rules;
}

bool has_rate_of(const std::vector<BalanceRule>& rules, const BalanceRule& rule) {
  return std::any_of(rules.begin(), rules.end(), [&](const auto& known) { return known.same_rate(rule); });
}

}  // namespace

Days BalanceRule::amount(std::int64_t balance, Days days) const {
  if (balance <= 0) return 0;
  if (balance > kMostBase || (basis != 1 && (!days || *days <= 0 || *days > 36'600))) return std::nullopt;
  const Days counted = basis == 1 ? Days(1) : months_of_30 ? in_months(*days) : days;
  if (!counted) return std::nullopt;
  const Formula formula{balance, 0, rate, *counted, basis};
  switch (rounding) {
    case Rounding::half_up:
      return half_up(formula);
    case Rounding::half_even:
      return half_even(formula);
    default:
      return truncated(formula);
  }
}

void BalanceRules::observe(std::int64_t balance, Days days, std::int64_t amount) {
  if (balance <= 0 || balance > kMostBase || amount < kTelling || amount > balance) return;
  bool known = false;
  for (auto& vote : votes_) {
    if (vote.rule.amount(balance, days) != amount) continue;
    ++vote.votes;
    vote.least = std::min(vote.least, balance);
    vote.most = std::max(vote.most, balance);
    known = true;
  }
  if (!known) add(balance, days, amount);
  if (++total_ < kRemembered) return;
  total_ /= 2;
  for (auto& vote : votes_) vote.votes /= 2;
}

/// Where there is no room the weakest give way.
void BalanceRules::add(std::int64_t balance, Days days, std::int64_t amount) {
  for (const auto& rule : rules_giving(balance, days, amount, false)) {
    if (votes_.size() < kRulesKept) {
      votes_.push_back({rule, 1, balance, balance});
      continue;
    }
    const auto weakest =
        std::min_element(votes_.begin(), votes_.end(), [](const auto& a, const auto& b) { return a.votes < b.votes; });
    if (weakest->votes <= 1) *weakest = {rule, 1, balance, balance};
  }
}

bool BalanceRules::is_known(const Vote& vote) const {
  if (vote.votes < kSupport || vote.votes * 20 < total_) return false;
  return std::none_of(votes_.begin(), votes_.end(), [&](const Vote& other) {
    return other.rule.same_rate(vote.rule) && other.votes * 10 > vote.votes * 11;
  });
}

std::vector<BalanceRule> BalanceRules::known() const {
  std::vector<BalanceRule> rules;
  for (const auto& vote : votes_) {
    if (is_known(vote)) rules.push_back(vote.rule);
  }
  return rules;
}

Recomputed BalanceRules::recompute(BalanceAmount legacy, BalanceAmount modern, Days days) const {
  const auto gives = [&](const BalanceRule& rule, BalanceAmount side) {
    return rule.amount(side.before, days) == side.amount;
  };
  bool proven = false;
  for (const auto& vote : votes_) {
    if (!is_known(vote) || !gives(vote.rule, legacy)) continue;
    if (gives(vote.rule, modern)) return Recomputed::follows;
    // This very exchange shows that it holds for legacy's balance, too.
    proven = proven || (std::min(vote.least, legacy.before) <= modern.before &&
                        modern.before <= std::max(vote.most, legacy.before));
  }
  // Accounts may have different rules, or one from some balance on.
  proven = proven && std::none_of(votes_.begin(), votes_.end(),
                                  [&](const Vote& vote) { return is_known(vote) && gives(vote.rule, modern); });
  // The account may have a rate of its own: a rule that nobody has refuted and that gives both.
  const auto rules = known();
  for (const auto& rule : rules_giving(legacy.before, days, legacy.amount, true)) {
    if (!has_rate_of(rules, rule) && gives(rule, modern)) return proven ? Recomputed::untold : Recomputed::follows;
  }
  return proven && legacy.amount >= kTelling ? Recomputed::contradicts : Recomputed::untold;
}

std::string BalanceRules::encode() const {
  CompactWriter out;
  out.numbers(total_, votes_.size());
  for (const auto& [rule, votes, least, most] : votes_)
    out.numbers(rule.rate, rule.basis, int{rule.months_of_30}, static_cast<int>(rule.rounding), votes, least, most);
  return out.take();
}

Result<BalanceRules> BalanceRules::decode(std::string_view text) {
  try {
    CompactReader in(text);
    BalanceRules rules;
    in.numbers(rules.total_);
    for (std::size_t n = in.count(); n > 0; --n) {
      Vote& vote = rules.votes_.emplace_back();
      int rounding = 0;
      in.numbers(vote.rule.rate, vote.rule.basis);
      vote.rule.months_of_30 = in.flag();
      in.numbers(rounding, vote.votes, vote.least, vote.most);
      if (rounding < 0 || rounding > 2) return invalid_input("rules of balances: unknown rounding");
      vote.rule.rounding = static_cast<Rounding>(rounding);
    }
    return rules;
  } catch (const Failure& failure) {
    return invalid_input(failure.what());
  }
}

}  // namespace phoenix::arbiter
