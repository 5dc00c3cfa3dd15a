#include "arbiter/cause_amounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "arbiter/cause_arithmetic.hpp"
#include "core/model/decimal.hpp"

namespace phoenix::arbiter {
namespace {

bool contains(const std::vector<std::int64_t>& values, std::int64_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

struct Roundings {
  explicit Roundings(const Formula& formula)
      : tie(is_tie(formula)),
        up(half_up(formula)),
        even(half_even(formula)),
        cut(truncated(formula)),
        binary(in_doubles(formula)) {}
  bool tie;
  std::int64_t up, even, cut;
  BinaryResults binary;
};

class Explainer {
 public:
  Explainer(const AmountPair& pair, const std::string& tier, const RateLookup& rates)
      : pair_(pair), tier_(tier), rates_(rates) {}

  std::optional<CauseFinding> explain() {
    if (auto unrounded = one_side_unrounded()) return unrounded;
    if (!pair_.days.empty()) {
      if (auto interest = explain_interest(pair_.days)) return interest;
    }
    std::vector<CauseFinding> cents;
    for (const auto& base : pair_.bases) add(other_rounding(base, 1, 1), cents);
    for (const auto& base : pair_.bases) add(late_discount(base), cents);
    if (!cents.empty()) return with_the_others(std::move(cents));
    for (const auto& base : pair_.bases) {
      if (base.balance) continue;
      if (auto found = other_rate(base)) return found;
    }
    if (!pair_.days.empty()) return std::nullopt;
    return explain_interest({30, 31, 28, 29});  // a month's end, its length not stated
  }

 private:
  [[nodiscard]] std::string money(std::int64_t amount) const { return format_minor(amount, pair_.scale); }

  CauseFinding found(Cause cause, std::string evidence, std::vector<Cause> alternatives = {}) const {
    return {cause, general_path(pair_.path), std::move(evidence), std::move(alternatives), std::nullopt};
  }

  static void add(std::optional<CauseFinding> found, std::vector<CauseFinding>& all) {
    if (found) all.push_back(std::move(*found));
  }

  /// The first speaks; what explains as well is named.
  static CauseFinding with_the_others(std::vector<CauseFinding> all) {
    CauseFinding first = std::move(all.front());
    const auto name = [&](Cause cause) {
      const bool named =
          std::find(first.alternatives.begin(), first.alternatives.end(), cause) != first.alternatives.end();
      if (cause != first.cause && !named) first.alternatives.push_back(cause);
    };
    for (std::size_t i = 1; i < all.size(); ++i) {
      name(all[i].cause);
      for (const auto cause : all[i].alternatives) name(cause);
    }
    return first;
  }

  /// One side keeps digits that the other has rounded away.
  std::optional<CauseFinding> one_side_unrounded() const {
    for (int digits = pair_.scale - 1; digits >= 0 && pair_.scale > 2; --digits) {
      std::int64_t unit = 1;
      for (int i = digits; i < pair_.scale; ++i) unit *= 10;
      const auto rounds_to = [&](std::int64_t fine, std::int64_t coarse) {
        return fine > 0 && fine % unit != 0 && coarse % unit == 0 && (fine + unit / 2) / unit * unit == coarse;
      };
      const bool legacy_fine = rounds_to(pair_.legacy, pair_.modern);
      if (!legacy_fine && !rounds_to(pair_.modern, pair_.legacy)) continue;
      return found(Cause::intermediate_precision,
                   fmt::format("{} keeps digits that {} has rounded to {}", legacy_fine ? "legacy" : "modern",
                               legacy_fine ? "modern" : "legacy", digits));
    }
    return std::nullopt;
  }

  /// Rates that may give `amount`; those known of the side where it is known.
  std::vector<std::int64_t> candidates(Side side, const Base& base, Formula formula, std::int64_t amount) const {
    const bool plain = formula.basis == 1 && !base.balance;
    const RateVotes* votes = rates_.votes && plain ? rates_.votes(side, pair_.path, base.path) : nullptr;
    const bool known = votes != nullptr && votes->settled();
    auto rates = known ? votes->supported() : simplest_rates(formula, amount, 4, true);
    if (plain && !known) rates.push_back(kRateUnit);  // the amount itself
    std::erase_if(rates, [&](auto rate) {
      formula.rate = rate;
      return !is_within_one(formula, amount);
    });
    return rates;
  }

  std::vector<std::int64_t> common_candidates(const Base& base, Formula formula) const {
    formula.base = base.legacy;
    const auto legacy = candidates(Side::legacy, base, formula, pair_.legacy);
    formula.base = base.modern;
    const auto modern = candidates(Side::modern, base, formula, pair_.modern);
    std::vector<std::int64_t> both;
    for (const auto rate : legacy) {
      if (contains(modern, rate)) both.push_back(rate);
    }
    return both;
  }

  [[nodiscard]] std::string rule_text(const Formula& formula, const std::string& base) const {
    std::string text = fmt::format("{} of {} {}", rate_text(formula.rate), base, money(formula.base));
    if (formula.basis > 1) text += fmt::format(" for {}/{}", formula.days, formula.basis);
    return text;
  }

  /// Both sides mean the same and round it differently, each from its own base.
  std::optional<CauseFinding> other_rounding(const Base& base, std::int64_t days, std::int64_t basis) const {
    if (base.legacy == base.modern && std::abs(pair_.legacy - pair_.modern) > 1) return std::nullopt;
    if (base.legacy > kMostBase || base.modern > kMostBase) return std::nullopt;
    Formula formula{base.legacy, pair_.scale, 0, days, basis};
    for (const auto rate : common_candidates(base, formula)) {
      formula.rate = rate;
      for (const bool legacy_up : {true, false}) {
        const auto right = legacy_up ? pair_.legacy : pair_.modern, other = legacy_up ? pair_.modern : pair_.legacy;
        formula.base = legacy_up ? base.legacy : base.modern;
        if (half_up(formula) != right) continue;
        formula.base = legacy_up ? base.modern : base.legacy;
        auto cause = rounding_of(Roundings(formula), other);
        formula.base = base.legacy;
        if (cause) {
          const char* const names[] = {legacy_up ? "legacy" : "modern", legacy_up ? "modern" : "legacy"};
          cause->path = general_path(pair_.path);
          cause->evidence = fmt::format("{}: half up {} ({}), {} {} ({})", rule_text(formula, base.path), money(right),
                                        names[0], cause->evidence, money(other), names[1]);
          return cause;
        }
      }
    }
    return std::nullopt;
  }

  /// The one side is half up; what gives `other`? Evidence is left as the name of the rounding.
  static std::optional<CauseFinding> rounding_of(const Roundings& seen, std::int64_t other) {
    const bool doubles = contains(seen.binary.rounded, other), doubles_cut = contains(seen.binary.cut, other);
    CauseFinding finding;
    if (other == seen.up) return std::nullopt;  // the same rule: no rounding tells them apart
    if (seen.tie && doubles) {
      finding.cause = Cause::float_tie;
      finding.evidence = "binary floating point";
      if (other == seen.even) finding.alternatives.push_back(Cause::rounding_mode);
      if (other == seen.cut) finding.alternatives.push_back(Cause::truncation);
    } else if (seen.tie && other == seen.even) {
      finding.cause = Cause::rounding_mode;
      finding.evidence = "half even";
      if (other == seen.cut) finding.alternatives.push_back(Cause::truncation);
    } else if (other == seen.cut || doubles_cut) {
      finding.cause = Cause::truncation;
      finding.evidence = other == seen.cut ? "cut" : "cut after binary floating point";
    } else {
      return std::nullopt;
    }
    return finding;
  }

  /// A rate, rounded, then a discount on the result; the other side has one rate for both.
  std::optional<CauseFinding> late_discount(const Base& base) const {
    Formula formula{base.legacy, pair_.scale, 0, 1, 1};
    if (base.balance || std::abs(pair_.legacy - pair_.modern) != 1 || formula.base > kMostBase) return std::nullopt;
    for (const auto rate : common_candidates(base, formula)) {
      for (const std::int64_t per_cent : {20, 10, 50, 25, 5, 15, 30, 40}) {
        const std::int64_t left = 100 - per_cent;
        if (rate * 100 % left != 0) continue;
        formula.rate = rate * 100 / left;
        if (!may_be_discounted(base, formula.rate, per_cent)) continue;
        const auto before = half_up(formula), late = share_of(before, left * (kRateUnit / 100));
        formula.rate = rate;
        const auto once = half_up(formula);
        const bool legacy_late = late == pair_.legacy && once == pair_.modern;
        if (!legacy_late && !(late == pair_.modern && once == pair_.legacy)) continue;
        return found(Cause::fee_tier,
                     fmt::format("{} takes {} of {} {}, rounds to {}, then {} % off: {}; {} takes {}: {}{}",
                                 legacy_late ? "legacy" : "modern", rate_text(rate * 100 / left), base.path,
                                 money(base.legacy), money(before), per_cent, money(late),
                                 legacy_late ? "modern" : "legacy", rate_text(rate), money(once), of_tier()),
                     {Cause::intermediate_precision});
      }
    }
    return std::nullopt;
  }

  /// A cent can be explained by some discount far too often: the full rate must be one that another tier has, and while
  /// nothing is known of rates, it must be the common case.
  [[nodiscard]] bool may_be_discounted(const Base& base, std::int64_t full_rate, std::int64_t per_cent) const {
    if (full_rate > kRateUnit || full_rate % 250 != 0) return false;
    const RateVotes* votes = rates_.votes ? rates_.votes(Side::legacy, pair_.path, base.path) : nullptr;
    if (votes != nullptr && votes->settled()) return rates_.used && rates_.used(pair_.path, base.path, full_rate);
    return per_cent == 20 && !tier_.empty();
  }

  [[nodiscard]] std::string of_tier() const { return tier_.empty() ? "" : " (tier " + tier_ + ")"; }

  static bool is_rounding_of(const Formula& formula, std::int64_t amount) {
    return amount == half_up(formula) || amount == half_even(formula);
  }

  /// Each side has a simple rate of its own.
  std::optional<CauseFinding> other_rate(const Base& base) const {
    Formula formula{base.legacy, pair_.scale, 0, 1, 1};
    if (formula.base > kMostBase) return std::nullopt;
    for (const auto legacy : side_rates(Side::legacy, base, formula, pair_.legacy)) {
      for (const auto modern : side_rates(Side::modern, base, formula, pair_.modern)) {
        if (legacy == modern) continue;
        return found(Cause::fee_tier, fmt::format("of {} {} legacy takes {}: {}, modern {}: {}{}", base.path,
                                                  money(base.legacy), rate_text(legacy), money(pair_.legacy),
                                                  rate_text(modern), money(pair_.modern), of_tier()));
      }
    }
    return std::nullopt;
  }

  std::vector<std::int64_t> side_rates(Side side, const Base& base, Formula formula, std::int64_t amount) const {
    if (amount == 0) return {0};  // free of charge
    auto rates = candidates(side, base, formula, amount);
    if (const RateVotes* votes = rates_.votes ? rates_.votes(side, pair_.path, base.path) : nullptr;
        rates.empty() && votes != nullptr && std::abs(pair_.legacy - pair_.modern) > 1) {
      rates = votes->repeated();  // a tier that is not known by name, and rare
      std::erase_if(rates, [](auto rate) { return rate % 250 != 0; });
    }
    std::erase_if(rates, [&](auto rate) {
      formula.rate = rate;
      return !is_rounding_of(formula, amount);
    });
    return rates;
  }

  // ---- interest ----

  std::optional<CauseFinding> explain_interest(const std::vector<std::int64_t>& counts) const {
    for (const auto& base : pair_.bases) {
      if (!base.balance || base.legacy > kMostBase || base.modern > kMostBase) continue;
      for (const auto days : counts) {
        if (auto found = interest_on(base, days)) return found;
      }
    }
    for (const auto& base : pair_.bases) {
      if (base.balance || base.legacy > kMostBase) continue;
      for (const auto count : counts) {
        if (auto found = rounded_in_steps(base, count, 1)) return found;
      }
    }
    return std::nullopt;
  }

  /// On small amounts a cent is a rounding as well as another day of the year: all that explain it are named.
  std::optional<CauseFinding> interest_on(const Base& base, std::int64_t days) const {
    std::vector<CauseFinding> all;
    for (const std::int64_t basis : {365, 360, 366}) {
      if (base.legacy != base.modern) {
        if (auto same = same_rule_on_other_balance(base, days, basis)) return same;
      }
      if (all.empty()) add(other_rounding(base, days, basis), all);
    }
    add(other_day_count(base, days), all);
    for (const std::int64_t basis : {365, 360, 366}) {
      auto steps = rounded_in_steps(base, days, basis);
      if (!steps) continue;
      add(std::move(steps), all);
      break;
    }
    return all.empty() ? std::nullopt : std::optional(with_the_others(std::move(all)));
  }

  std::optional<CauseFinding> same_rule_on_other_balance(const Base& base, std::int64_t days,
                                                         std::int64_t basis) const {
    Formula legacy{base.legacy, pair_.scale, 0, days, basis}, modern{base.modern, pair_.scale, 0, days, basis};
    for (const auto rate : simplest_rates(legacy, pair_.legacy, 4, true)) {
      legacy.rate = modern.rate = rate;
      if (!is_rounding_of(legacy, pair_.legacy) || !is_rounding_of(modern, pair_.modern)) continue;
      return found(Cause::carried, fmt::format("{} on legacy, {} on modern: the same rule on balances that differed "
                                               "before",
                                               rule_text(legacy, base.path), rule_text(modern, base.path)));
    }
    return std::nullopt;
  }

  /// `steps` times the rounded amount of one step, beside the rounded whole.
  std::optional<CauseFinding> rounded_in_steps(const Base& base, std::int64_t steps, std::int64_t basis) const {
    if (steps < 2) return std::nullopt;
    for (const bool legacy_whole : {true, false}) {
      const auto whole = legacy_whole ? pair_.legacy : pair_.modern, sum = legacy_whole ? pair_.modern : pair_.legacy;
      if (sum % steps != 0) continue;
      const Formula formula_of_sum{legacy_whole ? base.modern : base.legacy, pair_.scale, 0, 1, basis};
      Formula formula{legacy_whole ? base.legacy : base.modern, pair_.scale, 0, steps, basis};
      for (const auto rate : simplest_rates(formula, whole, 4, true)) {
        Formula step = formula_of_sum;
        formula.rate = step.rate = rate;
        const bool fits = half_up(step) * steps == sum || truncated(step) * steps == sum;
        if (!fits || half_up(formula) != whole) continue;
        return found(Cause::intermediate_precision,
                     fmt::format("{}: rounded once {} ({}), rounded {} times {} = {} ({})",
                                 rule_text(formula, base.path), money(whole), legacy_whole ? "legacy" : "modern", steps,
                                 money(sum / steps), money(sum), legacy_whole ? "modern" : "legacy"));
      }
    }
    return std::nullopt;
  }

  struct Convention {
    std::int64_t days, basis;
  };
  static std::vector<Convention> conventions(std::int64_t days) {
    std::vector<Convention> list{{days, 365}, {days, 360}, {days, 366}};
    const std::int64_t months = (days + 1) / 30;  // 30/360: whole months of 28 to 31 days each
    if (months > 0 && days != months * 30 && std::abs(days - months * 30) <= months + 2)
      list.push_back({months * 30, 360});
    return list;
  }

  std::optional<CauseFinding> other_day_count(const Base& base, std::int64_t days) const {
    for (const auto& [legacy_days, legacy_basis] : conventions(days)) {
      Formula legacy{base.legacy, pair_.scale, 0, legacy_days, legacy_basis};
      for (const auto rate : simplest_rates(legacy, pair_.legacy, 4, true)) {
        legacy.rate = rate;
        if (!is_rounding_of(legacy, pair_.legacy)) continue;
        for (const auto& [modern_days, modern_basis] : conventions(days)) {
          const Formula modern{base.modern, pair_.scale, rate, modern_days, modern_basis};
          if ((modern_days == legacy_days && modern_basis == legacy_basis) || !is_rounding_of(modern, pair_.modern))
            continue;
          return found(Cause::day_count,
                       fmt::format("{} of {} {}: {}/{} gives {} (legacy), {}/{} gives {} (modern)", rate_text(rate),
                                   base.path, money(base.legacy), legacy_days, legacy_basis, money(pair_.legacy),
                                   modern_days, modern_basis, money(pair_.modern)));
        }
      }
    }
    return std::nullopt;
  }

  const AmountPair& pair_;
  const std::string& tier_;
  const RateLookup& rates_;
};

}  // namespace

CauseFinding explain_amounts(const AmountPair& pair, const std::string& tier, const RateLookup& rates) {
  CauseFinding finding;
  finding.path = general_path(pair.path);
  if (pair.legacy >= 0 && pair.modern >= 0) {
    if (auto explained = Explainer(pair, tier, rates).explain()) finding = std::move(*explained);
  }
  AmountDifference difference{pair.legacy - pair.modern, pair.scale, "", 0};
  if (!pair.bases.empty()) {
    difference.base_name = name_of(pair.bases.front().path);
    difference.base = pair.bases.front().legacy;
  }
  finding.amount = std::move(difference);
  if (finding.evidence.empty()) {
    finding.evidence = fmt::format("legacy - modern = {}; no rule that was tried gives both values",
                                   format_minor(pair.legacy - pair.modern, pair.scale));
  }
  return finding;
}

}  // namespace phoenix::arbiter
