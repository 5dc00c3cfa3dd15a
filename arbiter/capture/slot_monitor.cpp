#include "arbiter/capture/slot_monitor.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <thread>

#include "arbiter/capture/pg_connection.hpp"
#include "arbiter/capture/slot_lag.hpp"
#include "arbiter/capture/wake_up.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::capture {
namespace {

constexpr const char* kQuery =
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,"
    " confirmed_flush_lsn, restart_lsn, COALESCE(wal_status, ''),"
    " (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    " FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()";

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

struct SlotMonitor::Impl {
  Impl(std::string side_name, const config::CaptureSideConfig& config, const config::CaptureConfig& capture,
       SideStatus& side_status)
      : name(std::move(side_name)),
        url(config.url),
        slot(config.slot),
        interval(capture.heartbeat),
        limit(capture.max_slot_lag),
        status(side_status),
        thread([this] { run(); }) {}

  ~Impl() {
    wake_up.request_stop();
    thread.join();
  }

  void run() {
    do {
      try {
        if (!connection) connection.emplace(url, PgConnection::Kind::sql);
        observe();
      } catch (const Failure&) {
        // The capturing thread meets the same failure and reports it.
        connection.reset();
        status.update([](SideState& state) { state.lag.reset(); });
      }
    } while (!wake_up.wait(interval));
  }

  void observe() {
    const auto rows = connection->run(kQuery, {slot});
    if (rows.empty()) {
      status.update([](SideState& state) { state.lag.reset(); });
      return;
    }
    const auto lsn = [&](std::size_t column) { return parse_lsn(rows[0][column].value_or("")).value_or(0); };
    const Lsn current = lsn(0);
    const Lsn kept_from = lsn(2);
    lag.observe(number(rows[0][4].value_or("")), current, lsn(1), status.get().unconfirmed_commit_us);
    const std::string problem = judge(rows[0][3].value_or(""));
    if (!problem.empty() && last_problem.empty()) log::error("{}: {}", name, problem);
    if (problem.empty() && !last_problem.empty()) log::info("{}: slot {} has caught up", name, slot);
    last_problem = problem;
    status.update([&](SideState& state) {
      state.lag = SideState::Lag{lag.bytes(), lag.seconds(), current > kept_from ? current - kept_from : 0};
      state.slot_problem = problem;
    });
  }

  std::string judge(const std::string& wal_status) const {
    if (wal_status == "lost") {
      return fmt::format("slot {} lost its write-ahead log (max_slot_wal_keep_size); changes are lost", slot);
    }
    if (limit == 0 || lag.bytes() <= limit) return "";
    return fmt::format(
        "slot {} is {} bytes behind, more than max_slot_lag ({}): Postgres keeps its write-ahead log for "
        "it; see to the event log, or drop the slot by hand",
        slot, lag.bytes(), limit);
  }

  const std::string name, url, slot;
  const std::chrono::milliseconds interval;
  const std::uint64_t limit;
  SideStatus& status;
  WakeUp wake_up;
  // Of the thread:
  std::optional<PgConnection> connection;
  SlotLag lag;
  std::string last_problem;
  std::thread thread;  // last: starts when everything else is there
};

SlotMonitor::SlotMonitor(std::string side, const config::CaptureSideConfig& config,
                         const config::CaptureConfig& capture, SideStatus& status)
    : impl_(std::make_unique<Impl>(std::move(side), config, capture, status)) {}
SlotMonitor::~SlotMonitor() = default;

}  // namespace phoenix::capture
