#include "arbiter/alignment.hpp"

#include <utility>

namespace phoenix::arbiter {
namespace {

enum class Excuse { harmless, unknown, mismatch };

/// Settles the suspects that a certain balance covers. The gap must already be the new one.
void settle_suspects(AccountState& account, std::int64_t covers_us, Excuse excuse, Findings& findings) {
  std::vector<Suspect> open;
  for (auto& suspect : account.suspects) {
    if (suspect.completed_at_us > covers_us) {
      open.push_back(std::move(suspect));
      continue;
    }
    Finding finding{suspect.exchange_id, Verdict::unknown, "", "", 0};
    if (excuse == Excuse::mismatch) {
      finding.verdict = Verdict::mismatch;
      finding.detail =
          fmt::format("balance: differs by {} among overlapping writes; the account's gap is {} afterwards",
                      account.format(suspect.difference), account.format(account.gap));
    } else if (excuse == Excuse::unknown) {
      finding.detail = "balance: overlapped with a write whose other leg was lost";
    } else if (suspect.difference == account.gap) {
      finding.verdict = Verdict::match_late;
      finding.detail = "balance: equal once the account's gap was known";
    } else {
      finding.verdict = Verdict::order_dependent;
      finding.detail = "balance: overlapping writes were applied in another order; both sides applied the same ones";
      account.order_differed = true;
    }
    findings.settled.push_back(std::move(finding));
  }
  account.suspects = std::move(open);
}

void learn_gap(AccountState& account, std::int64_t gap, const std::string& cause) {
  account.gap = gap;
  if (gap != 0 && account.differs_since.empty()) account.differs_since = cause;
}

void confirm(Findings& findings, std::string detail) {
  ++findings.confirmed;
  if (findings.confirmed_detail.empty()) findings.confirmed_detail = std::move(detail);
}

void disturb(AccountState& account, std::int64_t at_us) {
  account.disturbed_at_us = std::max(account.disturbed_at_us, at_us);
  account.suspicion.reset();  // what a reading saw may be this exchange: read again
}

/// An exchange explains a difference that was reported on the account alone.
void take_over_sealed(AccountState& account, const Observation& seen, Findings& findings) {
  if (!account.sealed || seen.received_at_us > account.sealed->read_at_us) return;
  findings.retracted = account.sealed->verdict_id;
  findings.retracted_rung = account.sealed->rung;
  --findings.confirmed;
  account.sealed.reset();
}

/// A difference that nothing explained in time: the covered suspects are guilty, else the account is named.
void seal(AccountState& account, Findings& findings) {
  const std::string name = account.readings[0].back().account;  // a difference is only ever held after readings
  const Suspicion held = *std::exchange(account.suspicion, std::nullopt);
  const bool suspects = std::any_of(account.suspects.begin(), account.suspects.end(),
                                    [&](const Suspect& s) { return s.completed_at_us <= held.covers_us; });
  learn_gap(account, held.difference, "a reading of both ledgers");
  settle_suspects(account, held.covers_us, Excuse::mismatch, findings);
  if (!suspects) {
    const std::string id = fmt::format("account/{}/{}", name, held.read_at_us);
    findings.settled.push_back({"", Verdict::mismatch, held.detail, id, held.read_at_us});
    account.sealed = SealedDifference{id, held.read_at_us, 0};
  }
  confirm(findings, held.detail);
}

BalanceVerdict judge_uncertain(AccountState& account, const Observation& seen) {
  if (*seen.difference == account.gap) return BalanceVerdict::equal;
  if (seen.late) return BalanceVerdict::unknown;
  account.suspects.push_back({seen.exchange_id, *seen.difference, seen.completed_at_us});
  return BalanceVerdict::pending;
}

}  // namespace

BalanceVerdict judge_exchange(AccountState& account, const Observation& seen, Findings& findings) {
  if (!seen.difference || (!seen.certain && seen.known_mismatch)) {
    if (seen.known_mismatch) note_mismatch(account, seen, findings);
    return BalanceVerdict::equal;
  }
  if (!seen.certain) return judge_uncertain(account, seen);

  const std::int64_t difference = *seen.difference;
  if (seen.known_mismatch) take_over_sealed(account, seen, findings);
  const auto& held = account.suspicion;
  if (held && !seen.known_mismatch && held->difference == difference && held->read_at_us < seen.received_at_us) {
    seal(account, findings);  // the gap had moved before this exchange began: it is innocent
  }

  const bool changed = difference != account.gap;
  const std::int64_t before = account.gap;
  const bool moved = !std::exchange(account.moved_by, {}).empty();
  const bool lost = std::exchange(account.lost, false);
  const bool suspects = !account.suspects.empty();
  account.suspicion.reset();
  learn_gap(account, difference, seen.exchange_id);
  if (!changed) {
    settle_suspects(account, seen.completed_at_us, Excuse::harmless, findings);
    return BalanceVerdict::equal;
  }
  account.disturbed_at_us = std::max(account.disturbed_at_us, seen.completed_at_us);
  const bool explained = (seen.known_mismatch && seen.write) || moved;
  settle_suspects(account, seen.completed_at_us,
                  explained ? Excuse::harmless
                  : lost    ? Excuse::unknown
                            : Excuse::mismatch,
                  findings);
  if (lost && !explained) return BalanceVerdict::unknown;
  if (seen.write || moved) {
    confirm(findings, fmt::format("exchange {}: the gap between both balances went from {} to {}", seen.exchange_id,
                                  account.format(before), account.format(difference)));
  }
  return (moved || suspects) && !seen.known_mismatch ? BalanceVerdict::equal : BalanceVerdict::different;
}

void note_mismatch(AccountState& account, const Observation& seen, Findings& findings) {
  if (!seen.write) return;
  if (account.differs_since.empty()) account.differs_since = seen.exchange_id;
  take_over_sealed(account, seen, findings);
  account.moved_by = seen.exchange_id;
  disturb(account, seen.completed_at_us);
}

void note_lost(AccountState& account, std::int64_t completed_at_us) {
  account.lost = true;
  disturb(account, completed_at_us);
}

// ---- readings of both ledgers -------------------------------------------------------------------------------------

namespace {

struct ReadPair {
  const BalanceReading* legacy;
  const BalanceReading* modern;
  [[nodiscard]] std::int64_t read_at_us() const { return std::max(legacy->read_at_us, modern->read_at_us); }
  /// Every exchange completed up to this event time had been answered before either side was read.
  [[nodiscard]] std::int64_t covers_us() const {
    return static_cast<std::int64_t>(std::min(legacy->read_id, modern->read_id));
  }
};

bool same_state(const BalanceReading& a, const BalanceReading& b) {
  return a.exists == b.exists && a.balance_minor == b.balance_minor && a.scale == b.scale &&
         a.txn_count == b.txn_count && a.txn_hash == b.txn_hash;
}

bool positions_agree(const AccountState& account, const ReadPair& pair) {
  if (!pair.legacy->exists || !pair.modern->exists || !pair.legacy->txn_count || !pair.modern->txn_count) return false;
  if (*pair.legacy->txn_count - account.base[0] != *pair.modern->txn_count - account.base[1]) return false;
  return account.rebased || pair.legacy->txn_hash == pair.modern->txn_hash;
}

/// The newest reading of one side with a recent one of the other at the same position.
std::optional<ReadPair> aligned_pair(const AccountState& account) {
  const auto& legacy = account.readings[0];
  const auto& modern = account.readings[1];
  for (auto m = modern.rbegin(); m != modern.rend(); ++m) {
    if (positions_agree(account, {&legacy.back(), &*m})) return ReadPair{&legacy.back(), &*m};
  }
  for (auto l = legacy.rbegin(); l != legacy.rend(); ++l) {
    if (positions_agree(account, {&*l, &modern.back()})) return ReadPair{&*l, &modern.back()};
  }
  return std::nullopt;
}

/// modern - legacy of a pair, remembering both balances; nothing when an amount does not fit.
std::optional<std::int64_t> difference_of(AccountState& account, const ReadPair& pair) {
  const auto modern = account.amount(Decimal::from_minor(pair.modern->balance_minor, pair.modern->scale));
  const auto legacy = account.amount(Decimal::from_minor(pair.legacy->balance_minor, pair.legacy->scale));
  if (!legacy || !modern) return std::nullopt;
  account.balance = {legacy, account.amount(Decimal::from_minor(pair.modern->balance_minor, pair.modern->scale))};
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(*account.balance[1], *account.balance[0], &difference)) return std::nullopt;
  return difference;
}

std::string describe(const AccountState& account, const std::string& name, const ReadPair& pair) {
  const std::string position =
      pair.legacy->txn_count ? fmt::format(" at the same position (n={})", *pair.legacy->txn_count) : " at quiescence";
  return fmt::format("account {}: legacy {}, modern {}{}, the gap was {}", name, account.format(*account.balance[0]),
                     account.format(*account.balance[1]), position, account.format(account.gap));
}

/// Both ledgers at one position (or unchanged at quiescence): proves or re-learns the gap.
void judge_aligned(AccountState& account, const ReadPair& pair, bool positioned, const AlignmentTimes& times,
                   Findings& findings) {
  if (pair.covers_us() < account.disturbed_at_us) return;  // read too early to say anything about the last disturbance
  const auto difference = difference_of(account, pair);
  if (!difference) return;
  const std::int64_t covers = pair.covers_us();
  if (*difference != account.gap && account.moved_by.empty() && (positioned || !account.lost)) {
    const std::string detail = describe(account, pair.legacy->account, pair);
    const bool same_as_held = account.suspicion && account.suspicion->difference == *difference;
    if (!same_as_held) {
      account.suspicion = Suspicion{*difference, pair.read_at_us(), covers, detail, positioned};
    } else if (!positioned && account.suspicion->read_at_us < times.settled_until_us &&
               pair.read_at_us() >= account.suspicion->read_at_us + times.absence_us) {
      seal(account, findings);
    }
    return;
  }
  const bool changed = *difference != account.gap;
  const std::string cause = std::exchange(account.moved_by, {});
  const bool lost = std::exchange(account.lost, false);
  if (changed && !cause.empty())
    confirm(findings, describe(account, pair.legacy->account, pair) + ", since exchange " + cause);
  account.suspicion.reset();
  learn_gap(account, *difference, cause.empty() ? "a reading of both ledgers" : cause);
  settle_suspects(account, covers, changed && lost && cause.empty() ? Excuse::unknown : Excuse::harmless, findings);
  account.dirty = account.last_completed_us > covers || !account.suspects.empty();
}

void judge_without_positions(AccountState& account, const ReadPair& now, const AlignmentTimes& times,
                             Findings& findings) {
  const auto& legacy = account.readings[0];
  const auto& modern = account.readings[1];
  if (legacy.size() < 2 || modern.size() < 2) return;
  const ReadPair before{&legacy[legacy.size() - 2], &modern[modern.size() - 2]};
  const bool quiet = account.last_completed_us <= before.covers_us() && same_state(*before.legacy, *now.legacy) &&
                     same_state(*before.modern, *now.modern);
  if (!quiet) {
    account.suspicion.reset();
    return;
  }
  judge_aligned(account, now, false, times, findings);
}

Finding describe_missing(const AccountState& account, const ReadPair& pair, bool changed) {
  const std::string& name = pair.legacy->account;
  Finding finding;
  finding.event_time_us = pair.read_at_us();
  finding.verdict_id = fmt::format("account/{}/{}", name, pair.read_at_us());
  const std::int64_t surplus =
      (pair.legacy->txn_count.value_or(0) - account.base[0]) - (pair.modern->txn_count.value_or(0) - account.base[1]);
  const std::string balances = changed && account.balance[0] && account.balance[1]
                                   ? fmt::format("; legacy {}, modern {}", account.format(*account.balance[0]),
                                                 account.format(*account.balance[1]))
                                   : "";
  if (account.lost) {
    finding.verdict = Verdict::unknown;
    finding.detail = fmt::format("account {}: positions differ by {} after a leg was lost{}", name, surplus, balances);
  } else if (pair.legacy->exists != pair.modern->exists) {
    finding.verdict = pair.legacy->exists ? Verdict::missing_modern : Verdict::missing_legacy;
    finding.detail = fmt::format("account {}: exists on {} only", name, pair.legacy->exists ? "legacy" : "modern");
  } else if (surplus == 0) {
    finding.verdict = Verdict::mismatch;
    finding.detail = fmt::format("account {}: different postings at the same count{}", name, balances);
  } else {
    finding.verdict = surplus > 0 ? Verdict::missing_modern : Verdict::missing_legacy;
    finding.detail = fmt::format("account {}: {} posting(s) missing on {}{}", name, surplus > 0 ? surplus : -surplus,
                                 surplus > 0 ? "modern" : "legacy", balances);
  }
  return finding;
}

/// Positions that stay different although the account has been quiet: a posting is missing, foreign or double. The
/// account is rebased afterwards, so that it remains decidable.
void judge_unaligned(AccountState& account, const ReadPair& now, std::int64_t event_time_us,
                     const AlignmentTimes& times, Findings& findings) {
  const auto& legacy = account.readings[0];
  const auto& modern = account.readings[1];
  const bool unchanged = legacy.size() >= 2 && modern.size() >= 2 && account.unaligned_since_us != 0 &&
                         same_state(legacy[legacy.size() - 2], *now.legacy) &&
                         same_state(modern[modern.size() - 2], *now.modern);
  if (!unchanged) account.unaligned_since_us = now.read_at_us();
  // A write may have been applied and answered on one side while its other leg still waits for a backend that is down.
  if (account.unaligned_since_us >= times.settled_until_us) return;
  const std::int64_t quiet_since_us = std::max(account.last_completed_us, account.unaligned_since_us);
  if (!unchanged || event_time_us < quiet_since_us + times.absence_us) return;
  if (now.covers_us() < account.last_completed_us) return;

  const auto difference = difference_of(account, now);
  const bool changed = difference && *difference != account.gap;
  const bool explained = !account.moved_by.empty();
  const bool first_sight = !account.aligned_once && !changed && now.legacy->exists && now.modern->exists;
  if (!explained && !first_sight) {
    findings.settled.push_back(describe_missing(account, now, changed));
    if (changed && !account.lost) confirm(findings, findings.settled.back().detail);
  } else if (changed) {
    confirm(findings, describe(account, now.legacy->account, now) + ", since exchange " + account.moved_by);
  }
  if (difference) learn_gap(account, *difference, explained ? account.moved_by : "a reading of both ledgers");
  settle_suspects(account, now.covers_us(), changed && !explained ? Excuse::unknown : Excuse::harmless, findings);
  account.base = {now.legacy->txn_count.value_or(0), now.modern->txn_count.value_or(0)};
  account.rebased = account.aligned_once = true;
  account.unaligned_since_us = 0;
  account.moved_by.clear();
  account.lost = false;
  account.suspicion.reset();
  account.dirty = !account.suspects.empty();
}

}  // namespace

void take_reading(AccountState& account, const BalanceReading& reading, std::int64_t event_time_us,
                  const AlignmentTimes& times, Findings& findings) {
  auto& kept = account.readings[index(reading.side)];
  kept.push_back(reading);
  if (kept.size() > AccountState::kReadingsKept) kept.erase(kept.begin());
  if (!reading.currency.empty()) account.currency = reading.currency;
  if (account.readings[0].empty() || account.readings[1].empty()) return;

  const ReadPair now{&account.readings[0].back(), &account.readings[1].back()};
  if (now.legacy->read_id != now.modern->read_id) return;  // the other half is still to come
  if (!now.legacy->exists && !now.modern->exists) {        // not an account of the ledger
    if (now.covers_us() >= account.last_completed_us) account.dirty = !account.suspects.empty();
    return;
  }
  const bool positioned =
      (!now.legacy->exists || now.legacy->txn_count) && (!now.modern->exists || now.modern->txn_count);
  if (!positioned && now.legacy->exists && now.modern->exists) {
    judge_without_positions(account, now, times, findings);
    return;
  }
  if (const auto aligned = aligned_pair(account)) {
    account.aligned_once = true;
    // After a rebase only the counts agree, not provably the sets: then a difference must last, as without positions.
    judge_aligned(account, *aligned, !account.rebased, times, findings);
  }
  // One side may agree with an older reading of the other for ever when a posting is missing: look at the newest ones.
  if (positions_agree(account, now)) {
    account.unaligned_since_us = 0;
  } else {
    judge_unaligned(account, now, event_time_us, times, findings);
  }
}

std::optional<std::int64_t> pass_time(AccountState& account, std::int64_t event_time_us, const AlignmentTimes& times,
                                      Findings& findings) {
  // Without positions only a later reading decides (judge_aligned): time alone proves nothing there.
  if (!account.suspicion || !account.suspicion->positioned) return std::nullopt;
  const std::int64_t due = account.suspicion->read_at_us + times.hold_us;
  if (event_time_us < due) return due;
  seal(account, findings);
  return std::nullopt;
}

}  // namespace phoenix::arbiter
