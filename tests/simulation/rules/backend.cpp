#include "tests/simulation/rules/backend.hpp"

#include "tests/simulation/rules/world.hpp"

namespace phoenix::simulation {
namespace {

constexpr int kOwnIdsFrom[2] = {1001, 2001};

}  // namespace

Backend::Backend(Side side, World& world)
    : side_(side),
      world_(world),
      ledger_(world.schedule.accounts, world.rules.own_id_ranges ? kOwnIdsFrom[index(side)] : 0) {}

void Backend::end(const CallPtr& call, const Answer& answer) {
  if (call->over) return;
  call->over = true;
  call->done(answer);
}

Backend::Fault Backend::draw_fault() {
  if (!world_.dice.one_in(world_.schedule.fault_in[index(side_)])) return Fault::none;
  return static_cast<Fault>(1 + world_.dice.below(7));
}

void Backend::send(const Operation& operation, Done done) {
  auto call = std::make_shared<Call>(Call{operation, std::move(done), false, life_});
  if (down_) return world_.events.after(100, [call] { end(call, {LegOutcome::connect_failed}); });
  std::erase_if(open_, [](const CallPtr& old) { return old->over; });
  open_.push_back(call);
  const BackendPace& pace = world_.schedule.pace[index(side_)];
  const Fault fault = draw_fault();
  Micros until_commit_us = pace.request_us + world_.dice.below(pace.request_jitter_us);
  if (fault == Fault::late) until_commit_us += world_.schedule.response_timeout_us * 3 / 2;
  world_.events.after(until_commit_us, [this, call, fault] { commit(call, fault); });
  world_.events.after(world_.schedule.response_timeout_us, [call] { end(call, {LegOutcome::timeout}); });
}

void Backend::commit(const CallPtr& call, Fault fault) {
  if (call->life != life_) return;
  const Operation& operation = call->operation;
  const bool applied = fault != Fault::silent && fault != Fault::error && fault != Fault::reset;
  Answer answer{LegOutcome::ok};
  if (applied) {
    const bool quirk = side_ == Side::modern && operation.kind == Operation::Kind::deposit &&
                       world_.schedule.quirk_in > 0 && operation.id % world_.schedule.quirk_in == 0;
    const Ledger::Outcome outcome = quirk ? Ledger::Outcome{422, operation.account, 0} : ledger_.apply(operation);
    world_.oracle.committed(side_, operation, outcome);
    answer.status = outcome.status;
    answer.account = outcome.account;
    answer.balance_minor = outcome.balance_minor;
    answer.stale = !operation.write() && world_.oracle.lacks_told(side_, operation);
    world_.trace("{} commits {}: {}, balance {}{}", to_string(side_), operation.id, outcome.status,
                 outcome.balance_minor, fault == Fault::none ? "" : " (its answer will fail)");
  }
  if (fault == Fault::silent || fault == Fault::silent_applied || fault == Fault::late) return;
  if (fault == Fault::error || fault == Fault::error_applied) answer = {LegOutcome::ok, 500};
  if (fault == Fault::reset || fault == Fault::reset_applied) answer = {LegOutcome::reset};
  const BackendPace& pace = world_.schedule.pace[index(side_)];
  world_.events.after(pace.answer_us + world_.dice.below(pace.answer_jitter_us), [call, answer] { end(call, answer); });
}

void Backend::go_down(Micros duration_us) {
  if (down_) return;
  down_ = true;
  ++life_;
  world_.trace("{} is down for {} us", to_string(side_), duration_us);
  const std::vector<CallPtr> open = std::move(open_);
  open_.clear();
  for (const auto& call : open) end(call, {LegOutcome::reset});
  world_.events.after(duration_us, [this] {
    down_ = false;
    world_.trace("{} is up", to_string(side_));
  });
}

}  // namespace phoenix::simulation
