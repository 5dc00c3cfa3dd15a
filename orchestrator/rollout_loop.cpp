#include "orchestrator/rollout_loop.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/model/exchange_id.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::orchestrator {
namespace {

constexpr std::size_t kRecordsPerPoll = 500;
constexpr std::uint64_t kAbsurdEpoch = 1ull << 62;

std::vector<std::string> slice_names(const TrafficPolicy& policy) {
  std::vector<std::string> names;
  for (const auto& slice : policy.slices) names.push_back(slice.name);
  return names;
}

}  // namespace

std::string new_kill_id(const Clock& clock) {
  RandomSource random(random_seed());
  return make_exchange_id(static_cast<std::uint64_t>(clock.unix_ms()), random.next(), random.next()).to_string();
}

RolloutLoop::RolloutLoop(const config::Config& config, const Clock& clock, EventLog& log, EvidenceBoard& board,
                         PolicyAuthority& authority, KillSwitch& kill_switch)
    : config_(config), clock_(clock), log_(log), board_(board), authority_(authority), kill_switch_(kill_switch) {
  for (const auto& slice : config.slices) facts_[slice.name] = slice_facts(config.gateway.routes, slice.name);
}

RolloutLoop::~RolloutLoop() {
  stop();
}

void RolloutLoop::start() {
  thread_ = std::thread([this] { run(); });
}

void RolloutLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool RolloutLoop::pause_for(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, time, [this] { return stopping_; });
}

void RolloutLoop::run() {
  auto next_step_at = clock_.monotonic();
  while (!pause_for(std::chrono::milliseconds(0))) {
    read();
    if (clock_.monotonic() < next_step_at) continue;
    next_step_at = clock_.monotonic() + config_.orchestrator.tick;
    step();
  }
}

void RolloutLoop::read() {
  try {
    if (!consumer_) {
      // Scores and heartbeats are repeated: only what is said from now on is news.
      consumer_ = log_.make_consumer({{topics::kConsistencyScores, topics::kGatewayStatus},
                                      "",
                                      [](const TopicPartition&) { return ConsumerOptions::kEnd; },
                                      {}});
    }
    const auto records =
        consumer_->poll(kRecordsPerPoll, std::min(config_.orchestrator.tick, std::chrono::milliseconds(200)));
    if (records) {
      reading_error_.clear();
      for (const auto& record : *records) take(record);
      return;
    }
    if (records.error().code == ErrorCode::conflict) consumer_.reset();  // retention passed us: start at the end again
    if (reading_error_ != records.error().message) log::warn("event log: {}", reading_error_ = records.error().message);
  } catch (const Failure& failure) {
    consumer_.reset();
    if (reading_error_ != failure.what()) log::warn("event log: {}", reading_error_ = failure.what());
  }
  (void)pause_for(config_.orchestrator.tick);
}

void RolloutLoop::take(const LogRecord& record) {
  std::string error;
  if (record.topic == topics::kConsistencyScores) {
    if (const auto score = decode_score_event(record.value))
      return board_.add(*score);
    else
      error = score.error().message;
  } else {
    if (const auto status = decode_gateway_status(record.value))
      return board_.add(*status);
    else
      error = status.error().message;
  }
  log::warn("{}/{} offset {}: set aside: {}", record.topic, record.partition, record.offset, error);
  const std::lock_guard lock(mutex_);
  ++counters_.malformed_events;
}

void RolloutLoop::step() {
  authority_.maintain();
  if (!authority_.view().leading) return;
  follow_gateways();
  for (const auto& name : slice_names(authority_.view().state.policy)) {
    const PolicyView view = authority_.view();
    const SlicePolicy* slice = view.state.policy.find(name);
    if (!view.leading || slice == nullptr) return;
    const Evidence evidence = board_.evidence(*slice);
    const Decision decision = plan(view.state, name, facts(name), evidence, config_.orchestrator.ramp, limits_);
    act(name, evidence, decision);
    remember(name, decision);
  }
}

/// What gateways know and the policy does not: latches, and epochs beyond ours.
void RolloutLoop::follow_gateways() {
  const auto live = board_.live_gateways();
  const auto now = clock_.unix_ms();
  if (!merge_latches(authority_.view().state, live, now).audit.empty()) {
    const auto merged =
        authority_.change([&](const ControlState& state) -> Result<Change> { return merge_latches(state, live, now); },
                          Order::publish_first);
    if (merged) {
      for (const auto& entry : merged->audit) count_kill(entry.slice, "gateway");
    }
  }
  std::uint64_t newest = 0;
  for (const auto& gateway : live) {
    if (gateway.applied_epoch < kAbsurdEpoch) newest = std::max(newest, gateway.applied_epoch);
  }
  if (newest <= authority_.view().state.policy.epoch) return;
  (void)authority_.change(
      [&](const ControlState& state) -> Result<Change> {
        if (newest <= state.policy.epoch) return Change{state, false, {}, {}};
        return pass_epoch(state, newest, {"orchestrator", "a gateway has applied a newer epoch", now});
      },
      Order::save_first);
}

void RolloutLoop::act(const std::string& slice, const Evidence& evidence, const Decision& decision) {
  if (decision.outcome == Outcome::hold || decision.outcome == Outcome::insufficient_evidence) return;
  const Author self{"orchestrator", decision.reason, clock_.unix_ms()};
  const std::string proof = evidence.score ? encode(*evidence.score) : "null";
  const std::string kill_id = new_kill_id(clock_);
  // Planned again under the lock: the state may have moved since (a person, a latch).
  const auto apply = [&](const ControlState& state) -> Result<Change> {
    const Decision now = plan(state, slice, facts(slice), evidence, config_.orchestrator.ramp, limits_);
    if (now.outcome != decision.outcome) return Change{state, false, {}, {}};
    switch (now.outcome) {
      case Outcome::promote:
        return raise_slice(state, slice, now.stage, now.weight_basis_points, self, proof);
      case Outcome::trip:
        return trip_slice(state, slice, kill_id, self, proof);
      case Outcome::freeze:
        return freeze_slice(state, slice, self, proof);
      default:
        return Change{state, false, {}, {}};
    }
  };
  const bool trip = decision.outcome == Outcome::trip;
  const auto change = authority_.change(apply, trip ? Order::publish_first : Order::save_first);
  if (!change) {
    log::warn("slice {}: {} not applied: {}", slice, to_string(decision.outcome), change.error().message);
    return;
  }
  if (change->audit.empty()) return;
  const auto& entry = change->audit.front();
  log::info("slice {}: {} {} -> {}: {}", slice, entry.action, entry.from, entry.to, entry.reason);
  if (!trip) return;
  kill_switch_.send({slice, decision.reason, self.by, kill_id});
  count_kill(slice, decision.cause);
}

void RolloutLoop::remember(const std::string& slice, const Decision& decision) {
  const std::lock_guard lock(mutex_);
  ++counters_.decisions[{slice, std::string(to_string(decision.outcome))}];
  decisions_[slice] = decision;
}

std::map<std::string, Decision> RolloutLoop::decisions() const {
  const std::lock_guard lock(mutex_);
  return decisions_;
}

LoopCounters RolloutLoop::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

const SliceFacts& RolloutLoop::facts(const std::string& slice) const {
  static const SliceFacts kNotConfigured{false, false, "the slice is not in the configuration any more"};
  const auto it = facts_.find(slice);
  return it == facts_.end() ? kNotConfigured : it->second;
}

void RolloutLoop::count_kill(const std::string& slice, const std::string& cause) {
  const std::lock_guard lock(mutex_);
  ++counters_.kills[{slice, cause}];
}

}  // namespace phoenix::orchestrator
