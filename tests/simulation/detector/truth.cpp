#include "tests/simulation/detector/truth.hpp"

namespace phoenix::detector {

void Truth::applied(Side side, const Operation& operation, const Applied& applied) {
  if (!operation.write() && applied.injected == Fault::none) return;
  Pending& pending = pending_[operation.number];
  pending.disturbed = pending.disturbed || was_disturbed(operation);
  pending.innocent = pending.innocent || innocent_.contains(operation.account);
  if (applied.injected != Fault::none) {
    pending.fault = applied.injected;
    faulted(operation);
    for (const auto& row : applied.rows) disturbed_.insert(row.account);
  }
  pending.by_side[static_cast<std::size_t>(index(side))] = {true, applied.status, applied.amount_minor,
                                                            applied.fee_minor, applied.found_minor};
}

/// Refused on one side, or interest on another balance.
bool Truth::follows_from_balance(const Operation& operation, const Pending& pending) {
  const auto& [legacy, modern] = pending.by_side;
  if (legacy.status != modern.status) return true;
  return operation.kind == Operation::Kind::interest && legacy.found_minor != modern.found_minor;
}

bool Truth::was_disturbed(const Operation& operation) const {
  return disturbed_.contains(operation.account) || (operation.second != 0 && disturbed_.contains(operation.second));
}

void Truth::disturbed(const Operation& operation) {
  disturbed(operation.account);
  if (operation.second != 0) disturbed(operation.second);
}

void Truth::faulted(const Operation& operation) {
  disturbed_.insert(operation.account);
  if (operation.second != 0) disturbed_.insert(operation.second);
}

void Truth::over(const Operation& operation, bool comparable, bool overlap, std::int64_t now_us) {
  const auto at = pending_.find(operation.number);
  if (at == pending_.end()) return;
  const Pending& pending = at->second;
  const auto& [legacy, modern] = pending.by_side;
  const bool differs = legacy.known && modern.known &&
                       (legacy.status != modern.status || legacy.amount_minor != modern.amount_minor ||
                        legacy.fee_minor != modern.fee_minor);
  const bool innocent = pending.innocent || innocent_.contains(operation.account);
  Kind kind = Kind::clean;
  bool explained = false;
  const bool masked = is_arithmetic(pending.fault) && legacy.known && modern.known && !differs;
  if (pending.fault != Fault::none && !masked) {
    kind = Kind::injected;
    // Jobs reach the sides a little apart: found balances differ for a moment.
    const bool apart = legacy.status != modern.status && legacy.found_minor != modern.found_minor;
    explained = (overlap || innocent || apart) && follows_from_balance(operation, pending);
    if (explained || !comparable) disturbed(operation);
  } else if (differs) {
    kind = pending.disturbed ? Kind::consequence : Kind::order;
    disturbed(operation);
  }
  if (kind != Kind::clean) {
    fates_[operation.number] = {kind, pending.fault, comparable, explained, now_us, operation.account};
  }
  pending_.erase(at);
}

Truth::Fate Truth::fate(std::uint64_t number) const {
  const auto at = fates_.find(number);
  return at == fates_.end() ? Fate{} : at->second;
}

}  // namespace phoenix::detector
