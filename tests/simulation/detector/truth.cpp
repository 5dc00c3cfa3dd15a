#include "tests/simulation/detector/truth.hpp"

namespace phoenix::detector {

void Truth::applied(Side side, const Operation& operation, const Applied& applied) {
  if (!operation.write() && applied.injected == Fault::none) return;
  const auto [at, first] = pending_.try_emplace(operation.number);
  Pending& pending = at->second;
  if (first) pending.began = disturbances_;
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

/// Refused by the side that found less, or interest on another balance. Nobody can tell what the side that refused had
/// found beside an overlapping write; nor, soon after changes of the difference that the clocks do not put in order,
/// when one of these was against that side.
bool Truth::explained_by_balance(const Operation& operation, const Pending& pending, bool overlap,
                                 bool innocent) const {
  const auto& [legacy, modern] = pending.by_side;
  const std::int64_t above = modern.found_minor - legacy.found_minor;
  if (legacy.status == modern.status)
    return operation.kind == Operation::Kind::interest && above != 0 && (overlap || innocent);
  if (overlap) return true;
  const bool by_modern = modern.status >= 400;
  const auto at = differences_.find(operation.account);
  const bool moved = at != differences_.end() && (by_modern ? at->second.fell : at->second.rose);
  return innocent && (moved || (by_modern ? above < 0 : above > 0));
}

/// What the account's balances differ by, and whether both sides found the same, with nothing that disturbed it since.
void Truth::note_difference(const Operation& operation, const Pending& pending, bool overlap) {
  const auto& [legacy, modern] = pending.by_side;
  if (overlap || !legacy.known || !modern.known || legacy.status == 404 || modern.status == 404) return;
  Difference& difference = differences_[operation.account];
  const std::int64_t above = modern.found_minor - legacy.found_minor;
  difference.fell = difference.fell || above < difference.above_minor;
  difference.rose = difference.rose || above > difference.above_minor;
  difference.above_minor = above;
  const auto at = innocent_.find(operation.account);
  if (above == 0 && at != innocent_.end() && at->second <= pending.began) innocent_.erase(at);
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
  note_difference(operation, pending, overlap);
  Kind kind = Kind::clean;
  bool explained = false;
  const bool masked = is_arithmetic(pending.fault) && legacy.known && modern.known && !differs;
  if (pending.fault != Fault::none && !masked) {
    kind = Kind::injected;
    explained = explained_by_balance(operation, pending, overlap, innocent);
    if (explained || !comparable) disturbed(operation);
  } else if (differs) {
    kind = pending.disturbed ? Kind::consequence : Kind::order;
    // What follows from a plain fault is as plain.
    if (innocent || overlap || kind == Kind::order || !comparable)
      disturbed(operation);
    else
      faulted(operation);
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
