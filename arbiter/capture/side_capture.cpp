#include "arbiter/capture/side_capture.hpp"

#include <fmt/format.h>

#include <set>
#include <thread>

#include "arbiter/capture/change_publisher.hpp"
#include "arbiter/capture/replication_frame.hpp"
#include "arbiter/capture/replication_stream.hpp"
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
constexpr std::size_t kTurnBytes = 1u << 20;  // read between two looks at the event log

/// Thrown on the capturing thread when it shall end.
struct Stopped {};

}  // namespace

struct SideCapture::Impl {
  Impl(std::string side_name, const config::CaptureSideConfig& side_config, const config::CaptureConfig& capture,
       EventLog& event_log, SideStatus& side_status, const Clock& the_clock)
      : name(std::move(side_name)),
        config(side_config),
        heartbeat(capture.heartbeat),
        status(side_status),
        clock(the_clock),
        producer(event_log.make_producer()),
        publisher(name, capture.topic, config.tables, *producer, status, clock, [this] { keep_alive(); }),
        thread([this] { run(); }) {}

  ~Impl() {
    wake_up.request_stop();
    thread.join();
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
    if (!system_id.empty() && system_id != connection.system_id())
      pending_gap = fmt::format("another Postgres cluster answers: {}, not {}", connection.system_id(), system_id);
    system_id = connection.system_id();
    slot_known = true;
    stream = &connection;
    publisher.restart(connection.database(), facts.confirmed, pending_gap);
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
    if (stream != nullptr && steady_clock::now() >= next_status) send_status();
  }

  void send_status() {
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
  // Of the capturing thread:
  std::unique_ptr<Producer> producer;
  ChangePublisher publisher;
  ReplicationStream* stream = nullptr;
  bool slot_known = false;
  std::string system_id, last_problem, pending_gap;
  std::set<std::string> warned;
  Lsn sent_confirmed = 0;
  steady_clock::time_point next_status{};
  std::thread thread;  // last: starts when everything else is there
};

SideCapture::SideCapture(std::string side, const config::CaptureSideConfig& config,
                         const config::CaptureConfig& capture, EventLog& log, SideStatus& status, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(side), config, capture, log, status, clock)) {}
SideCapture::~SideCapture() = default;

}  // namespace phoenix::capture
