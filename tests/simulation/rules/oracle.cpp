#include "tests/simulation/rules/oracle.hpp"

#include <fmt/format.h>

namespace phoenix::simulation {

Figures& Figures::operator+=(const Figures& more) {
  exchanges += more.exchanges;
  stale_reads += more.stale_reads;
  splits += more.splits;
  unexplained_splits += more.unexplained_splits;
  unequal += more.unequal;
  incomplete += more.incomplete;
  doubled += more.doubled;
  lost += more.lost;
  waits += more.waits;
  refused += more.refused;
  waited_us += more.waited_us;
  beyond_cohort += more.beyond_cohort;
  false_alarms += more.false_alarms;
  overtaken += more.overtaken;
  return *this;
}

void Oracle::committed(Side side, const Operation& operation, const Ledger::Outcome& outcome) {
  if (!operation.write()) return;
  const auto at = static_cast<std::size_t>(index(side));
  Fate& known = fate(operation.id);
  known.operation = operation;
  if (outcome.status >= 300) {
    known.refused[at] = true;
    return;
  }
  ++known.applied[at];
  if (operation.kind == Operation::Kind::open) known.opened[at] = outcome.account;
}

void Oracle::client_told(const Operation& operation, int status, int account) {
  if (!operation.write() || status >= 300) return;
  told_[account].push_back(operation.id);
  if (operation.second != 0) told_[operation.second].push_back(operation.id);
}

std::size_t Oracle::told_of(int account) const {
  const auto found = told_.find(account);
  return found == told_.end() ? 0 : found->second.size();
}

bool Oracle::lacks_told(Side side, const Operation& operation) const {
  const auto at = static_cast<std::size_t>(index(side));
  const auto found = told_.find(operation.account);
  for (std::size_t i = 0; i < operation.must_see; ++i) {
    const Fate& known = fates_[static_cast<std::size_t>(found->second[i])];
    if (known.applied[at] == 0) return true;
    const bool opening = known.operation.kind == Operation::Kind::open;
    if (opening && known.opened[at] != operation.account) return true;
  }
  return false;
}

void Oracle::judge_write(const Fate& known, const std::set<int>& named) {
  const Operation& operation = known.operation;
  for (std::size_t side = 0; side < 2; ++side) {
    if (known.applied[side] > 1) {
      ++figures.doubled;
      findings_.push_back(
          fmt::format("exchange {}: applied {} times by side {}", operation.id, known.applied[side], side));
    }
    if (known.applied[side] == 0 || known.applied[1 - side] > 0) continue;
    if (known.refused[1 - side]) {
      ++figures.splits;
      if (!known.explained) ++figures.unexplained_splits;
      findings_.push_back(fmt::format("exchange {}: SPLIT, accepted by side {}, refused by the other{}", operation.id,
                                      side, known.explained ? "" : ", unexplained"));
      continue;
    }
    const int account = operation.kind == Operation::Kind::open ? known.opened[side] : operation.account;
    if (named.contains(account) && (operation.second == 0 || named.contains(operation.second))) continue;
    ++figures.lost;
    findings_.push_back(fmt::format("exchange {}: LOST, applied by side {} alone", operation.id, side));
  }
}

void Oracle::judge(const Ledger& legacy, const Ledger& modern, const std::set<int>& named) {
  for (const Fate& known : fates_) judge_write(known, named);
  std::set<int> accounts;
  for (const auto* ledger : {&legacy, &modern}) {
    for (const auto& [id, account] : ledger->accounts()) accounts.insert(id);
  }
  for (const int id : accounts) {
    if (named.contains(id)) {
      ++figures.incomplete;
      continue;
    }
    const auto left = legacy.accounts().find(id);
    const auto right = modern.accounts().find(id);
    const bool both = left != legacy.accounts().end() && right != modern.accounts().end();
    if (both && left->second == right->second) continue;
    ++figures.unequal;
    findings_.push_back(
        fmt::format("account {}: UNEQUAL, legacy {}, modern {}, named nowhere", id,
                    left == legacy.accounts().end() ? "none" : fmt::to_string(left->second.balance_minor),
                    right == modern.accounts().end() ? "none" : fmt::to_string(right->second.balance_minor)));
  }
}

}  // namespace phoenix::simulation
