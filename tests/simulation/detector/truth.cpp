#include "tests/simulation/detector/truth.hpp"

namespace phoenix::detector {

void Truth::applied(Side side, const Operation& operation, const Applied& applied) {
  if (!operation.write() && applied.injected == Fault::none) return;
  Pending& pending = pending_[operation.number];
  pending.disturbed = pending.disturbed || was_disturbed(operation);
  if (applied.injected != Fault::none) {
    pending.fault = applied.injected;
    disturbed(operation);
    for (const auto& row : applied.rows) disturbed(row.account);
  }
  pending.by_side[static_cast<std::size_t>(index(side))] = {true, applied.status, applied.amount_minor,
                                                            applied.fee_minor, applied.predecessors};
}

bool Truth::was_disturbed(const Operation& operation) const {
  return disturbed_.contains(operation.account) || (operation.second != 0 && disturbed_.contains(operation.second));
}

void Truth::disturbed(const Operation& operation) {
  disturbed_.insert(operation.account);
  if (operation.second != 0) disturbed_.insert(operation.second);
}

void Truth::over(const Operation& operation, bool comparable, std::int64_t now_us) {
  const auto at = pending_.find(operation.number);
  if (at == pending_.end()) return;
  const Pending& pending = at->second;
  const auto& [legacy, modern] = pending.by_side;
  const bool differs = legacy.known && modern.known &&
                       (legacy.status != modern.status || legacy.amount_minor != modern.amount_minor ||
                        legacy.fee_minor != modern.fee_minor);
  Kind kind = Kind::clean;
  const bool masked = is_arithmetic(pending.fault) && legacy.known && modern.known && !differs;
  if (pending.fault != Fault::none && !masked) {
    kind = Kind::injected;
  } else if (differs) {
    kind = pending.disturbed ? Kind::consequence : Kind::order;
    disturbed(operation);
  }
  if (kind != Kind::clean) fates_[operation.number] = {kind, pending.fault, comparable, now_us, operation.account};
  pending_.erase(at);
}

Truth::Fate Truth::fate(std::uint64_t number) const {
  const auto at = fates_.find(number);
  return at == fates_.end() ? Fate{} : at->second;
}

}  // namespace phoenix::detector
