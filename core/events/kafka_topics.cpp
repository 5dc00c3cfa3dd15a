#include "core/events/kafka_topics.hpp"

#include <fmt/format.h>

#include <array>
#include <map>
#include <vector>

#include "core/runtime/log.hpp"

namespace phoenix::events {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetryInterval{1'000};
constexpr milliseconds kRequestTimeout{3'000};
constexpr milliseconds kBackgroundTimeout{1'000};  // short, because the end of the program waits for it
constexpr int kBrokerDefaultReplication = -1;      // needs Kafka 2.4

using Options = std::unique_ptr<rd_kafka_AdminOptions_t, KafkaDeleter<rd_kafka_AdminOptions_destroy>>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, KafkaDeleter<rd_kafka_NewTopic_destroy>>;
using ConfigResource = std::unique_ptr<rd_kafka_ConfigResource_t, KafkaDeleter<rd_kafka_ConfigResource_destroy>>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, KafkaDeleter<rd_kafka_metadata_destroy>>;

Options make_options(rd_kafka_t* client, rd_kafka_admin_op_t operation, milliseconds timeout) {
  Options options(rd_kafka_AdminOptions_new(client, operation));
  std::array<char, 256> reason{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), static_cast<int>(timeout.count()), reason.data(),
                                            reason.size());
  return options;
}

KafkaEvent wait_for_result(const KafkaQueue& queue) {
  // The request itself has a time-out, so that its result always comes.
  return KafkaEvent(rd_kafka_queue_poll(queue.get(), static_cast<int>(2 * kRequestTimeout.count())));
}

/// Partition counts of all topics. Asked for as a whole, because asking for one by name may create it.
Result<std::map<std::string, int>> list_topics(rd_kafka_t* client, milliseconds timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(client, 1, nullptr, &raw, static_cast<int>(timeout.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(rd_kafka_err2str(error));
  const Metadata metadata(raw);
  std::map<std::string, int> partitions;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const auto& topic = metadata->topics[i];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) partitions[topic.topic] = topic.partition_cnt;
  }
  return partitions;
}

std::optional<Error> create_topic(rd_kafka_t* client, const KafkaTopic& topic, milliseconds timeout) {
  std::array<char, 256> reason{};
  NewTopic request(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, kBrokerDefaultReplication, reason.data(),
                                         reason.size()));
  if (!request) return Error{ErrorCode::invalid_input, fmt::format("topic {}: {}", topic.name, reason.data())};
  if (topic.compacted) rd_kafka_NewTopic_set_config(request.get(), "cleanup.policy", "compact");
  const auto options = make_options(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
  const KafkaQueue queue(rd_kafka_queue_new(client));
  rd_kafka_NewTopic_t* requests[] = {request.get()};
  rd_kafka_CreateTopics(client, requests, 1, options.get(), queue.get());

  const auto event = wait_for_result(queue);
  if (!event) return unavailable(fmt::format("topic {}: no answer to its creation", topic.name));
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return unavailable(fmt::format("cannot create topic {}: {}", topic.name, rd_kafka_event_error_string(event.get())));
  }
  std::size_t count = 0;
  const auto* result = rd_kafka_event_CreateTopics_result(event.get());
  const auto** topics = rd_kafka_CreateTopics_result_topics(result, &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto error = rd_kafka_topic_result_error(topics[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      log::info("created topic {} with {} partitions", topic.name, topic.partitions);
    } else if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      return unavailable(fmt::format("topic {} was created by somebody else just now: to be checked", topic.name));
    } else {
      const char* text = rd_kafka_topic_result_error_string(topics[i]);
      return unavailable(
          fmt::format("cannot create topic {}: {}", topic.name, text != nullptr ? text : rd_kafka_err2str(error)));
    }
  }
  return std::nullopt;
}

/// The topic's cleanup.policy; none when the cluster does not tell (old brokers, missing rights).
std::optional<std::string> cleanup_policy(rd_kafka_t* client, const std::string& topic, milliseconds timeout) {
  ConfigResource resource(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  const auto options = make_options(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout);
  const KafkaQueue queue(rd_kafka_queue_new(client));
  rd_kafka_ConfigResource_t* resources[] = {resource.get()};
  rd_kafka_DescribeConfigs(client, resources, 1, options.get(), queue.get());

  const auto event = wait_for_result(queue);
  if (!event || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  std::size_t resource_count = 0;
  const auto* result = rd_kafka_event_DescribeConfigs_result(event.get());
  const auto** described = rd_kafka_DescribeConfigs_result_resources(result, &resource_count);
  for (std::size_t i = 0; i < resource_count; ++i) {
    std::size_t entry_count = 0;
    const auto** entries = rd_kafka_ConfigResource_configs(described[i], &entry_count);
    for (std::size_t k = 0; k < entry_count; ++k) {
      const char* value = rd_kafka_ConfigEntry_value(entries[k]);
      if (std::string_view(rd_kafka_ConfigEntry_name(entries[k])) == "cleanup.policy" && value != nullptr) return value;
    }
  }
  return std::nullopt;
}

std::optional<Error> misfit(const std::string& what) {
  return Error{ErrorCode::invalid_input, what};
}

std::optional<Error> check_partitions(const KafkaTopic& topic, int found) {
  if (found < 1) return misfit(fmt::format("topic {} has no partitions", topic.name));
  if (topic.rule == PartitionRule::exactly && found != topic.partitions) {
    return misfit(fmt::format("topic {} has {} partitions, but its records are one sequence: create it anew with {}",
                              topic.name, found, topic.partitions));
  }
  if (topic.rule == PartitionRule::at_least && found < topic.partitions) {
    return misfit(fmt::format(
        "topic {} has {} partitions, but event_log.kafka.partitions is {}: lower it, or add partitions to the topic",
        topic.name, found, topic.partitions));
  }
  return std::nullopt;
}

std::optional<Error> check_cleanup(const KafkaTopic& topic, const std::string& policy) {
  const bool compacts = policy.find("compact") != std::string::npos;
  if (compacts == topic.compacted) return std::nullopt;
  if (topic.compacted) {
    return misfit(
        fmt::format("topic {} has cleanup.policy={}, but its newest records are state: set cleanup.policy=compact",
                    topic.name, policy));
  }
  return misfit(
      fmt::format("topic {} has cleanup.policy={}, but every one of its records counts: set cleanup.policy=delete",
                  topic.name, policy));
}

KafkaLogOptions with_prefix(KafkaLogOptions options) {
  for (auto& topic : options.topics) topic.name.insert(0, options.prefix);
  return options;
}

}  // namespace

std::vector<KafkaTopic> standard_kafka_topics(int partitions) {
  // State and status are small, and one partition keeps them in one order.
  constexpr auto kAtLeast = PartitionRule::at_least;
  constexpr auto kExactly = PartitionRule::exactly;
  return {{topics::kShadowRequests, partitions, false, kAtLeast},
          {topics::kDbStateUpdates, partitions, false, kAtLeast},
          {topics::kVerdicts, partitions, false},
          {topics::kConsistencyScores, 1, false, kExactly},
          {topics::kRoutingControl, 1, true, kExactly},
          {topics::kGatewayStatus, 1, false, kExactly}};
}

KafkaTopics::KafkaTopics(const KafkaLogOptions& options)
    : options_(with_prefix(options)),
      client_(
          make_kafka_handle(RD_KAFKA_CONSUMER, make_kafka_conf(options, {}, {{"allow.auto.create.topics", "false"}}))) {
  const auto error = create_or_check(options.start_timeout);
  if (!error) {
    ready_ = true;
    return;
  }
  if (error->code != ErrorCode::unavailable) throw Failure(*error);
  set_problem(error->message);
  thread_ = std::thread([this] { run(); });
}

KafkaTopics::~KafkaTopics() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::string KafkaTopics::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

void KafkaTopics::set_problem(const std::string& problem) {
  const std::lock_guard lock(mutex_);
  if (problem != problem_) log::warn("event log {}: topics are not ready: {}", options_.brokers, problem);
  problem_ = problem;
}

void KafkaTopics::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (stopped_.wait_for(lock, kRetryInterval, [this] { return stopping_; })) return;
    }
    const auto error = create_or_check(kBackgroundTimeout);
    if (!error) {
      log::info("event log {}: topics are ready", options_.brokers);
      ready_.store(true, std::memory_order_release);
      return;
    }
    set_problem(error->message);
  }
}

std::optional<Error> KafkaTopics::create_or_check(milliseconds timeout) {
  if (options_.topics.empty()) return std::nullopt;
  const auto existing = list_topics(client_.get(), timeout);
  if (existing.has_error()) return existing.error();
  for (const auto& topic : options_.topics) {
    const auto found = existing->find(topic.name);
    if (found == existing->end()) {
      if (auto error = create_topic(client_.get(), topic, kRequestTimeout)) return error;
      continue;
    }
    if (auto error = check_partitions(topic, found->second)) return error;
    const auto policy = cleanup_policy(client_.get(), topic.name, kRequestTimeout);
    if (!policy) log::debug("event log {}: cleanup.policy of topic {} cannot be read", options_.brokers, topic.name);
    if (policy) {
      if (auto error = check_cleanup(topic, *policy)) return error;
    }
  }
  return std::nullopt;
}

}  // namespace phoenix::events
