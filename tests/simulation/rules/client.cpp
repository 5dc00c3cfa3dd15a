#include "tests/simulation/rules/client.hpp"

#include "tests/simulation/rules/decisions.hpp"
#include "tests/simulation/rules/gateway_model.hpp"

namespace phoenix::simulation {
namespace {

constexpr Micros kToGatewayUs = 200;
constexpr Micros kAfterFailureUs = 5'000;

}  // namespace

void Client::think() {
  world_.events.after(dice_.below(2 * world_.schedule.think_us), [this] { act(); });
}

void Client::act() {
  if (world_.events.now() >= world_.schedule.horizon_us) return;
  Operation operation = next_operation();
  operation.id = ++world_.last_exchange;
  operation.keys_readable = !dice_.percent(world_.schedule.unreadable_keys_percent);
  operation.must_see = world_.oracle.told_of(operation.account);
  world_.trace("{} begins: {} {} account {}{}", operation.id, name_of(operation.kind), operation.amount_minor,
               operation.account, operation.second == 0 ? "" : fmt::format(" to {}", operation.second));
  const auto at = static_cast<std::size_t>(dice_.below(world_.schedule.gateways));
  world_.events.after(kToGatewayUs, [this, operation, at] {
    if (world_.gateways[at] == nullptr) return told(operation, {LegOutcome::connect_failed});
    world_.gateways[at]->receive(operation, [this, operation](const Answer& answer) { told(operation, answer); });
  });
}

int Client::any_account() {
  return world_
      .known_accounts[static_cast<std::size_t>(dice_.below(static_cast<std::int64_t>(world_.known_accounts.size())))];
}

Operation Client::next_operation() {
  Operation operation;
  operation.account = look_at_ != 0 ? look_at_ : any_account();
  const bool look = look_at_ != 0;
  look_at_ = 0;
  if (look || dice_.percent(30)) return operation;
  operation.amount_minor = 1 + dice_.below(80);
  operation.kind = Operation::Kind::deposit;
  if (dice_.percent(world_.schedule.opens_percent)) {
    operation.kind = Operation::Kind::open;
    operation.account = 0;
  } else if (dice_.percent(65)) {
    operation = spend();
  }
  return operation;
}

Operation Client::spend() {
  Operation operation;
  operation.account = any_account();
  operation.kind = Operation::Kind::withdraw;
  const auto found = believed_.find(operation.account);
  // Nearly all that it believes to be there: one write more or less decides.
  operation.amount_minor = found == believed_.end() ? 60 : std::max<std::int64_t>(1, found->second - dice_.below(20));
  if (!dice_.percent(world_.schedule.transfers_percent)) return operation;
  const int second = any_account();
  if (second == operation.account) return operation;
  operation.kind = Operation::Kind::transfer;
  operation.second = second;
  return operation;
}

void Client::told(const Operation& operation, const Answer& answer) {
  if (answer.outcome != LegOutcome::ok || answer.status >= 500) {
    look_at_ = operation.account;
    return world_.events.after(kAfterFailureUs, [this] { think(); });
  }
  if (answer.stale) {  // also a 404 for an account that somebody was told of
    ++world_.oracle.figures.stale_reads;
    world_.trace("{} was a STALE READ of account {}", operation.id, operation.account);
  }
  world_.oracle.client_told(operation, answer.status, answer.account);
  if (accepted(answer)) believed_[answer.account] = answer.balance_minor;
  if (operation.kind == Operation::Kind::open && accepted(answer)) world_.known_accounts.push_back(answer.account);
  if (operation.write() && dice_.percent(50)) look_at_ = answer.account;
  think();
}

}  // namespace phoenix::simulation
