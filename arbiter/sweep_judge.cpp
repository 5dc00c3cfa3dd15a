#include "arbiter/sweep_judge.hpp"

#include "core/model/decimal.hpp"

namespace phoenix::arbiter {
namespace {

using Balances = std::array<std::optional<std::int64_t>, 2>;

/// Both balances in the account's units; an absent account holds nothing, and 0 towards the difference.
Result<Balances> balances_of(AccountState& account, const LedgerComparison& comparison) {
  Balances balances;
  // Twice: the second amount may have grown the scale.
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t side = 0; side < balances.size(); ++side) {
      const auto& stated = comparison.balances[side];
      if (!stated.exists) continue;
      const auto amount = Decimal::parse(stated.amount);
      if (!amount)
        return invalid_input(fmt::format("ledger comparison: balance '{}' is no exact number", stated.amount));
      balances[side] = account.amount(*amount);
      if (!balances[side])
        return invalid_input(fmt::format("ledger comparison: balance '{}' does not fit", stated.amount));
    }
  }
  return balances;
}

Result<std::int64_t> modern_minus_legacy(const Balances& balances) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(balances[1].value_or(0), balances[0].value_or(0), &difference))
    return invalid_input("ledger comparison: the difference does not fit 64 bits");
  return difference;
}

std::string describe(const LedgerComparison& comparison, const AccountState& account) {
  const auto text = [](const LedgerComparison::Balance& balance) {
    if (!balance.exists) return std::string("no such account");
    return balance.currency.empty() ? balance.amount : balance.amount + " " + balance.currency;
  };
  return fmt::format("sweep {}: account {}: legacy {}, modern {}, the gap was {}", comparison.run, comparison.account,
                     text(comparison.balances[0]), text(comparison.balances[1]), account.format(account.gap));
}

Verdict verdict_on(const LedgerComparison& comparison) {
  if (!comparison.balances[index(Side::modern)].exists) return Verdict::missing_modern;
  if (!comparison.balances[index(Side::legacy)].exists) return Verdict::missing_legacy;
  return Verdict::mismatch;
}

bool same_currency(const LedgerComparison& comparison) {
  const auto& [legacy, modern] = comparison.balances;
  return !legacy.exists || !modern.exists || legacy.currency == modern.currency;
}

/// Equal balances of it are no difference. An account that one side lacks is one, whatever it holds.
bool alike(const LedgerComparison& comparison) {
  return same_currency(comparison) && comparison.balances[0].exists == comparison.balances[1].exists;
}

/// Nothing of the past says anything about the account any more but this difference.
void begin_anew(AccountState& account, std::int64_t difference, const LedgerComparison& comparison) {
  account.gap = difference;
  account.moved_by.clear();
  account.lost = false;
  account.suspicion.reset();
  account.unaligned_since_us = 0;
  // Positions begin anew with the next readings.
  account.rebased = account.aligned_once = false;
  account.base = {};
  account.readings = {};
  if (difference == 0 || comparison.cause == LedgerComparison::Cause::resync) account.postings.carry = 0;
  if (difference == 0 && alike(comparison)) {
    account.differs_since.clear();
  } else if (account.differs_since.empty()) {
    account.differs_since =
        fmt::format("{} {}", comparison.cause == LedgerComparison::Cause::sweep ? "sweep" : "resync", comparison.run);
  }
}

void find(AccountState& account, const LedgerComparison& comparison, Verdict verdict, std::string detail,
          Findings& findings) {
  const std::string id = fmt::format("account/{}/{}", comparison.account, comparison.high_us);
  // An exchange that comes late and explains a mismatch takes its place.
  if (verdict == Verdict::mismatch) account.sealed = SealedDifference{id, comparison.high_us, 0};
  if (verdict != Verdict::unknown) {
    ++findings.confirmed;
    findings.confirmed_detail = detail;
  }
  findings.settled.push_back({"", verdict, std::move(detail), id, comparison.high_us});
}

}  // namespace

bool has_open_ends(const AccountState& account) {
  return !account.suspects.empty() || account.suspicion || !account.moved_by.empty() || account.dirty ||
         !account.postings.open.empty();
}

Result<StreamComparison> take_stream_comparison(AccountState& account, const LedgerComparison& comparison, bool trusted,
                                                Findings& findings) {
  using Cause = LedgerComparison::Cause;
  if (account.slice.empty()) account.slice = comparison.slice;
  if (comparison.cause == Cause::repair) return StreamComparison{ComparisonOutcome::consistent, {}};
  const bool repaired = comparison.cause == Cause::resync;
  // Whatever was changed by hand until then is made good: it waits for no counterpart.
  if (repaired) {
    account.repaired_us = std::max(account.repaired_us, comparison.high_us);
    account.postings.foreign.clear();
  }
  const bool moved = account.last_completed_us >= comparison.low_us;
  if (!repaired && (moved || (trusted && has_open_ends(account)))) return StreamComparison{};
  StreamComparison result{ComparisonOutcome::consistent, {}};
  if (!comparison.balances[0].exists && !comparison.balances[1].exists) return result;

  auto balances = balances_of(account, comparison);
  if (!balances) return balances.error();
  const auto difference = modern_minus_legacy(*balances);
  if (!difference) return difference.error();
  const PostingState& postings = account.postings;
  const bool known = account.gap != 0 || !account.differs_since.empty();
  const bool as_known = *difference == account.gap && (alike(comparison) || known);
  if (*difference == 0) account.postings.carry = 0;
  if (trusted && (repaired || (as_known && postings.known()))) return result;  // the streams tell it
  if (repaired && moved) return result;  // what has moved it since is not in these balances; a sweep will do
  result.begin_with.emplace();
  for (std::size_t side = 0; side < 2; ++side)
    (*result.begin_with)[side] = Decimal::from_minor((*balances)[side].value_or(0), account.scale);
  if (repaired || as_known || (*difference == 0 && alike(comparison))) return result;

  const std::string detail = describe(comparison, account);
  if (!alike(comparison) && account.differs_since.empty()) account.differs_since = "sweep " + comparison.run;
  find(account, comparison, trusted ? verdict_on(comparison) : Verdict::unknown,
       trusted ? detail : detail + "; what moved it was lost", findings);
  account.sealed.reset();  // what comes late is told by the streams
  const bool detector = trusted && postings.known() && !known;
  result.outcome = detector ? ComparisonOutcome::undetected : ComparisonOutcome::different;
  return result;
}

Result<ComparisonOutcome> take_comparison(AccountState& account, const LedgerComparison& comparison, bool waiting,
                                          Findings& findings) {
  const bool seen = account.last_completed_us > 0;
  if (account.slice.empty()) account.slice = comparison.slice;
  if (comparison.cause == LedgerComparison::Cause::repair) {
    note_lost(account, comparison.high_us);
    return ComparisonOutcome::consistent;
  }
  // A repair holds whatever came after it: both sides were equal at rest, and what is judged later says for itself.
  const bool repaired = comparison.cause == LedgerComparison::Cause::resync;
  if (!repaired && account.last_completed_us >= comparison.low_us) return ComparisonOutcome::stale;
  if (!repaired && (waiting || (has_open_ends(account) && !account.lost))) return ComparisonOutcome::stale;
  if (!comparison.balances[0].exists && !comparison.balances[1].exists) return ComparisonOutcome::consistent;

  auto balances = balances_of(account, comparison);
  if (!balances) return balances.error();
  const auto stated = modern_minus_legacy(*balances);
  if (!stated) return stated.error();
  const std::int64_t difference = *stated;
  for (const auto& side : comparison.balances) {
    if (!side.currency.empty()) account.currency = side.currency;
  }
  account.balance = *balances;

  const bool known = account.gap != 0 || !account.differs_since.empty();
  const bool as_known = difference == account.gap && (alike(comparison) || known);
  const std::string detail = describe(comparison, account);
  const bool lost = account.lost;
  begin_anew(account, difference, comparison);
  if (repaired || as_known) return ComparisonOutcome::consistent;
  // A gap that comes back to nothing is no finding against anybody.
  if (difference == 0 && alike(comparison)) return ComparisonOutcome::consistent;
  find(account, comparison, lost ? Verdict::unknown : verdict_on(comparison),
       lost ? detail + "; what moved it was lost" : detail, findings);
  return seen && !known && !lost ? ComparisonOutcome::undetected : ComparisonOutcome::different;
}

}  // namespace phoenix::arbiter
