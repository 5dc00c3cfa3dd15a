#include "arbiter/capture/side_capture.hpp"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <thread>

#include "arbiter/capture/change_publisher.hpp"
#include "arbiter/capture/marker_writer.hpp"
#include "arbiter/capture/replication_frame.hpp"
#include "arbiter/capture/replication_stream.hpp"
#include "arbiter/capture/slot_record.hpp"
#include "arbiter/capture/slot_setup.hpp"
#include "arbiter/capture/wake_up.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::capture {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kLastBackoff{5'000};
constexpr milliseconds kSettleWait{50};
constexpr milliseconds kSettleAtExit{1'000};
constexpr milliseconds kGapWait{5'000};       // for the log to take the first record of a connection
constexpr std::size_t kTurnBytes = 1u << 20;  // read between two looks at the event log

/// Thrown on the capturing thread when it shall end.
struct Stopped {};

}  // namespace

struct SideCapture::Impl {
  Impl(std::string side_name, const config::CaptureSideConfig& side_config, const config::Config& all,
       EventLog& event_log, SideStatus& side_status, const Clock& the_clock)
      : name(std::move(side_name)),
        config(side_config),
        heartbeat(all.capture.heartbeat),
        status(side_status),
        clock(the_clock),
        file(all.capture.state_dir, name),
        destination(destination_of(all, name)),
        destination_name(describe(all, destination)),
        producer(event_log.make_producer()),
        publisher(name, destination, config.tables, *producer, status, clock, [this] { keep_alive(); }) {
    if (const auto before = file.load()) {
      record = *before;
      publisher.take_up(record->confirmed, record->shapes);
    }
    if (destination.partition != Producer::kByKey && all.capture.marker > milliseconds(0)) {
      MarkerWriter::Options marker{name, config.url, fmt::format("{:016x}", random_seed()), destination.partition,
                                   all.capture.marker};
      publisher.expect_markers_of(marker.writer);
      markers = std::make_unique<MarkerWriter>(std::move(marker), event_log, status);
    }
    thread = std::thread([this] { run(); });
  }

  ~Impl() {
    wake_up.request_stop();
    thread.join();
  }

  /// In the topic that the arbiter reads, all of a slice's ledger stands in the slice's partition.
  static Destination destination_of(const config::Config& all, const std::string& side) {
    const auto& state = side == "legacy" ? all.arbiter.legacy_state : all.arbiter.modern_state;
    const std::string slice = state.slice.empty() && all.slices.size() == 1 ? all.slices.front().name : state.slice;
    const bool own = all.capture.topic == topics::kDbStateUpdates && !slice.empty();
    return {all.capture.topic, own ? slice_partition(all, slice) : Producer::kByKey};
  }

  static std::string describe(const config::Config& all, const Destination& to) {
    const int partitions = all.mode == config::Mode::enterprise ? all.event_log.kafka.partitions : 1;
    return fmt::format("topic {}, partition {} of {}", to.topic,
                       to.partition == Producer::kByKey ? "by key" : std::to_string(to.partition), partitions);
  }

  void run() {
    milliseconds backoff = kFirstBackoff;
    while (!wake_up.stopping()) {
      const Lsn before = publisher.confirmed();
      try {
        session();
      } catch (const Stopped&) {
        break;
      } catch (const Failure& failure) {
        report(failure.what());
        // Where a person has to act, or the same bytes would fail again, there is no hurry.
        if (failure.code() != ErrorCode::unavailable) backoff = kLastBackoff;
        if (failure.code() == ErrorCode::unavailable && publisher.confirmed() != before) backoff = kFirstBackoff;
      } catch (const std::exception& error) {
        report(error.what());
        backoff = kLastBackoff;
      }
      stream = nullptr;
      while (publisher.blocked() && !wake_up.stopping()) publisher.drain(kSettleWait);
      if (wake_up.wait(backoff)) break;
      backoff = std::min(backoff * 2, kLastBackoff);
      status.update([](SideState& state) { ++state.reconnects; });
    }
    status.update([](SideState& state) { state.streaming = false; });
  }

  /// One line for each new problem, however often it is met.
  void report(const std::string& problem) {
    if (problem != last_problem) log::error("{}: {}", name, problem);
    last_problem = problem;
    status.update([&](SideState& state) {
      state.streaming = false;
      state.problem = problem;
    });
  }

  /// Ends by Stopped or by the failure that broke the connection.
  void session() {
    const SlotFacts facts = [&] {
      PgConnection sql(config.url, PgConnection::Kind::sql);
      return prepare_slot(sql, config, slot_known);
    }();
    for (const auto& warning : facts.warnings) {
      if (warned.insert(warning).second) log::warn("{}: {}", name, warning);
    }
    if (facts.created) pending_gap = fmt::format("slot {} was created: earlier changes are not captured", config.slot);
    ReplicationStream connection(config.url, config.slot, config.publication);
    slot_known = true;
    SlotRecord now{config.slot,      connection.cluster(), connection.database(),
                   destination_name, facts.confirmed,      publisher.shapes()};
    if (pending_gap.empty() && record) pending_gap = difference(*record, now);
    if (pending_gap.empty() && !record)
      pending_gap = fmt::format("{} does not tell what was captured before", file.path());
    stream = &connection;
    may_confirm = false;
    publisher.restart(connection.database(), facts.confirmed, pending_gap);
    // Only when the log holds the gap may it be forgotten that there was one.
    for (const auto deadline = steady_clock::now() + kGapWait; !publisher.all_durable(kSettleWait); keep_alive()) {
      if (steady_clock::now() > deadline) throw Failure(ErrorCode::unavailable, "the event log takes no records");
    }
    record = std::move(now);
    may_confirm = true;
    pending_gap.clear();
    log::info("{}: reading slot {} from {}", name, config.slot, format_lsn(facts.confirmed));
    last_problem.clear();
    status.update([](SideState& state) {
      state.streaming = true;
      state.problem.clear();
    });
    send_status();
    while (!wake_up.stopping()) turn(connection);
    publisher.settle(kSettleAtExit);
    send_status();
    throw Stopped{};
  }

  void turn(ReplicationStream& connection) {
    std::size_t bytes = 0;
    while (bytes < kTurnBytes && !publisher.full() && !wake_up.stopping()) {
      const auto frame = connection.next();
      if (!frame) break;
      bytes += frame->size();
      publisher.take(*frame);
    }
    publisher.settle(kSettleWait);
    if (publisher.reply_requested() || publisher.confirmed() != sent_confirmed || steady_clock::now() >= next_status)
      send_status();
    if (publisher.blocked()) {
      throw Failure(ErrorCode::unavailable,
                    "the event log takes no records; changes stay in Postgres, which is not read until it does");
    }
    if (bytes > 0 || !publisher.settled() || publisher.full()) return;
    const auto left = std::chrono::duration_cast<milliseconds>(next_status - steady_clock::now());
    connection.wait(std::max(left, milliseconds(1)), wake_up.fd());
  }

  /// While a record waits for the log, Postgres must go on hearing from us.
  void keep_alive() {
    if (wake_up.stopping()) throw Stopped{};
    if (stream != nullptr && may_confirm && steady_clock::now() >= next_status) send_status();
  }

  void send_status() {
    // First the file: a slot that is further than it says was moved by someone else.
    record->confirmed = std::max(record->confirmed, publisher.confirmed());
    if (publisher.settled()) record->shapes = publisher.shapes();
    file.save(*record);
    stream->send(encode_status(publisher.received(), publisher.confirmed(), clock.unix_ms() * 1000));
    sent_confirmed = publisher.confirmed();
    next_status = steady_clock::now() + heartbeat;
  }

  const std::string name;
  const config::CaptureSideConfig config;
  const milliseconds heartbeat;
  SideStatus& status;
  const Clock& clock;
  WakeUp wake_up;
  SlotRecordFile file;
  const Destination destination;
  const std::string destination_name;
  // Of the capturing thread:
  std::unique_ptr<Producer> producer;
  ChangePublisher publisher;
  ReplicationStream* stream = nullptr;
  bool slot_known = false;
  std::optional<SlotRecord> record;  ///< of what is read; none: nothing is known of before
  bool may_confirm = false;          ///< whether `record` is of this connection
  std::string last_problem, pending_gap;
  std::set<std::string> warned;
  Lsn sent_confirmed = 0;
  steady_clock::time_point next_status{};
  std::unique_ptr<MarkerWriter> markers;  ///< none: not wanted
  std::thread thread;                     // last: starts when everything else is there
};

SideCapture::SideCapture(std::string side, const config::CaptureSideConfig& side_config, const config::Config& config,
                         EventLog& log, SideStatus& status, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(side), side_config, config, log, status, clock)) {}
SideCapture::~SideCapture() = default;

}  // namespace phoenix::capture
