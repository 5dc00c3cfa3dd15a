#include "gateway/policy_feed.hpp"

#include "core/runtime/log.hpp"

namespace phoenix::gateway {
namespace {
constexpr std::chrono::milliseconds kPoll{50};
constexpr std::chrono::milliseconds kHeartbeat{1000};
constexpr std::size_t kBatch = 100;
}  // namespace

PolicyFeed::PolicyFeed(PolicyStore& policy, EventLog& log, Producer& producer, std::function<GatewayStatus()> status)
    : policy_(policy), log_(log), producer_(producer), status_(std::move(status)) {}

PolicyFeed::~PolicyFeed() {
  stop();
}

void PolicyFeed::start() {
  thread_ = std::thread([this] { run(); });
}

void PolicyFeed::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

// A state directory that cannot be written (full disk) must not take the gateway down: the next tick obeys the policy.
Result<void> PolicyFeed::apply_guarded(const TrafficPolicy& policy, PolicySource source) {
  try {
    return policy_.apply(policy, source);
  } catch (const Failure& failure) {
    return Error{failure.code(), failure.what()};
  }
}

void PolicyFeed::apply(const LogRecord& record) {
  const auto policy = decode_traffic_policy(record.value);
  if (!policy) {
    log::warn("routing-control at offset {} is not a policy: {}", record.offset, policy.error().message);
    return;
  }
  const bool live = live_from_ >= 0 && record.offset >= live_from_;
  const auto applied = apply_guarded(*policy, live ? PolicySource::live : PolicySource::replay);
  // An older epoch in the log's past is no news.
  if (!applied && live) log::warn("policy at offset {} was refused: {}", record.offset, applied.error().message);
}

void PolicyFeed::run() {
  auto consumer = log_.make_consumer(
      {{topics::kRoutingControl}, "", [](const TopicPartition&) { return ConsumerOptions::kBeginning; }, {}});
  auto next_heartbeat = std::chrono::steady_clock::now();
  while (!stop_) {
    if (live_from_ < 0) {
      const auto ends = consumer->end_offsets();
      if (ends && !ends->empty()) live_from_ = ends->begin()->second;
    }
    const auto records = consumer->poll(kBatch, kPoll);
    if (records) {
      for (const auto& record : *records) apply(record);
    } else {
      log::debug("routing-control: {}", records.error().message);
    }
    policy_.tick();
    const auto now = std::chrono::steady_clock::now();
    if (now < next_heartbeat && !announce_.exchange(false)) continue;
    next_heartbeat = now + kHeartbeat;
    const GatewayStatus status = status_();
    producer_.publish(topics::kGatewayStatus, status.gateway, encode(status));
  }
  const GatewayStatus last = status_();
  producer_.publish(topics::kGatewayStatus, last.gateway, encode(last));
}

}  // namespace phoenix::gateway
