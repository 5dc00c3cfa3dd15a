#include "arbiter/stream_marker.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <pqxx/pqxx>
#include <thread>

#include "arbiter/database_url.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::arbiter {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLook{20};  // between two looks at the slot
constexpr milliseconds kLongestRetry{3'000};
/// Debezium confirms when Kafka Connect commits its offsets: each offset.flush.interval.ms, a minute by default.
constexpr std::chrono::seconds kSlotPatience{120};
/// Debezium confirms the commit before the last record that it sent. While nobody else writes, and without its own
/// heartbeats, a marker is confirmed only because it is written again.
constexpr milliseconds kRepeat{500};

constexpr const char* kSettings = "SET synchronous_commit = off; SET statement_timeout = '5s'";
constexpr const char* kWrite = "SELECT pg_logical_emit_message(true, 'phoenix', $1)";
constexpr const char* kEnd = "SELECT pg_current_wal_insert_lsn()";
constexpr const char* kReached =
    "SELECT confirmed_flush_lsn >= $2::pg_lsn FROM pg_replication_slots WHERE slot_name = $1";

}  // namespace

struct StreamMarker::Impl {
  Impl(Options the_options, EventLog& log, Producer& out)
      : options(std::move(the_options)), producer(out), writer(fmt::format("{:016x}", random_seed())) {
    ConsumerOptions reader;
    reader.topics = {topics::kShadowRequests};
    reader.partitions = std::vector<int>{options.partition};
    reader.start_position = [](const TopicPartition&) { return ConsumerOptions::kEnd; };
    ends = log.make_consumer(std::move(reader));
    thread = std::thread([this] { run(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    stop.notify_all();
    thread.join();
  }

  /// False when it is time to end.
  bool pause(milliseconds time) {
    std::unique_lock lock(mutex);
    return !stop.wait_for(lock, time, [this] { return stopping; });
  }

  void run() {
    milliseconds wait = kInterval;
    do {
      try {
        mark();
        tell("");
        wait = kInterval;
      } catch (const std::exception& error) {
        connection.reset();
        tell(fmt::format("{}: no markers for Debezium's topics, so nothing is known to be missing: {}", options.side,
                         first_line(error.what())));
        wait = std::min(wait * 2, kLongestRetry);
      }
    } while (pause(wait));
  }

  void tell(const std::string& what) {
    if (what == problem) return;
    what.empty() ? log::info("{}: markers are written", options.side) : log::warn("{}", what);
    problem = what;
  }

  void mark() {
    const std::int64_t covers = ends->query_end({topics::kShadowRequests, options.partition}).value();
    const auto now = steady_clock::now();
    if (written && covers == covered && now - *written < kIdle) return;
    if (!connection) {
      connection = std::make_unique<pqxx::connection>(connection_string(options.url));
      pqxx::nontransaction(*connection).exec(kSettings);
    }
    const std::string id = fmt::format("{}-{}", writer, ++number);
    const std::int64_t written_at_ms = SystemClock().unix_ms();
    write(id);
    const auto behind = pqxx::nontransaction(*connection).exec1(kEnd)[0].as<std::string>();
    if (!wait_for_slot(id, behind)) return;
    publish(id, covers, written_at_ms);
    covered = covers;
    written = now;
  }

  void write(const std::string& id) {
    pqxx::nontransaction(*connection).exec_params(kWrite, nlohmann::json{{"marker", id}}.dump());
  }

  bool wait_for_slot(const std::string& id, const std::string& position) {
    const std::string& slot = options.tables.slot;
    const auto deadline = steady_clock::now() + kSlotPatience;
    for (auto repeat = steady_clock::now();;) {
      if (steady_clock::now() >= repeat) {
        write(id);
        repeat += kRepeat;
      }
      {
        pqxx::nontransaction statement(*connection);
        const auto rows = statement.exec_params(kReached, slot, position);
        if (rows.empty()) {
          throw Failure(ErrorCode::unavailable,
                        fmt::format("{} has no replication slot '{}'; name the connector's slot.name as {}_state.slot",
                                    describe_database(options.url), slot, options.side));
        }
        if (rows[0][0].as<bool>(false)) return true;
      }
      if (steady_clock::now() > deadline) {
        throw Failure(ErrorCode::unavailable,
                      fmt::format("slot '{}' has not been confirmed for {} s; is the connector running?", slot,
                                  kSlotPatience.count()));
      }
      if (!pause(kLook)) return false;
    }
  }

  void publish(const std::string& id, std::int64_t covers, std::int64_t written_at_ms) {
    nlohmann::json offsets = nlohmann::json::object();
    for (const auto& topic : options.tables.topics) {
      auto& partitions = partition_counts[topic];
      if (partitions == 0) partitions = ends->partition_count(topic).value();
      for (int partition = 0; partition < partitions; ++partition)
        offsets[fmt::format("{}/{}", topic, partition)] = ends->query_end({topic, partition}).value();
    }
    const nlohmann::json record{
        {"v", 1},
        {"op", "m"},
        {"before", nullptr},
        {"after", nullptr},
        {"marker", id},
        {"covers", covers},
        {"offsets", offsets},
        {"source", {{"name", options.side}, {"kind", "arbiter"}, {"ts_us", written_at_ms * 1'000}}},
        {"ts_ms", SystemClock().unix_ms()}};
    if (!producer.publish_to(options.partition, topics::kDbStateUpdates, "", record.dump()))
      throw Failure(ErrorCode::unavailable, "the event log takes no records");
  }

  const Options options;
  Producer& producer;
  const std::string writer;
  // Of the thread:
  std::unique_ptr<Consumer> ends;
  std::unique_ptr<pqxx::connection> connection;
  std::map<std::string, int> partition_counts;
  std::uint64_t number = 0;
  std::int64_t covered = 0;
  std::optional<steady_clock::time_point> written;
  std::string problem;

  std::mutex mutex;
  std::condition_variable stop;
  bool stopping = false;
  std::thread thread;
};

StreamMarker::StreamMarker(Options options, EventLog& log, Producer& producer)
    : impl_(std::make_unique<Impl>(std::move(options), log, producer)) {}
StreamMarker::~StreamMarker() = default;

}  // namespace phoenix::arbiter
