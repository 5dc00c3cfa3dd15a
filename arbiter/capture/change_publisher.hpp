// Frames in, records out, and how far Postgres may forget: the confirmed position moves to the end of a transaction
// only when the event log holds every record before it. One thread; the producer must have no other user, because its
// counts say what is durable.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "arbiter/capture/change_envelope.hpp"
#include "arbiter/capture/side_status.hpp"
#include "arbiter/capture/transaction_assembler.hpp"
#include "core/events/event_log.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::capture {

/// Where records go. With a partition of its own a side's changes, markers and gaps keep one order.
struct Destination {
  std::string topic;
  int partition = Producer::kByKey;
};

class ChangePublisher {
 public:
  /// Beyond it reading waits: the rest stays in Postgres.
  static constexpr std::uint64_t kMaxUnacknowledgedBytes = 16u << 20;

  /// All references must outlive it. `while_blocked` is called again and again while a record cannot be handed over; it
  /// may throw to give up.
  ChangePublisher(std::string side, Destination to, std::map<std::string, std::string> tables, Producer& producer,
                  SideStatus& status, const Clock& clock, std::function<void()> while_blocked);

  /// A new connection to `database`, whose slot stands at `slot_confirmed`. Says so in the log (op "gap") when the slot
  /// is further than what was confirmed here, the log gave up records, or `reason` is not empty.
  void restart(std::string database, Lsn slot_confirmed, std::string reason);
  /// Throws Failure when the frame makes no sense or the log cannot hold its record.
  void take(std::string_view frame);
  /// Waits up to `timeout` for the log and moves the confirmed position. Throws Failure when the log gave up records:
  /// they must be read again, from confirmed().
  void settle(std::chrono::milliseconds timeout);

  /// Markers of this writer are published when they come back; others are passed.
  void expect_markers_of(std::string writer) { writer_ = std::move(writer); }
  /// What an earlier run had confirmed and seen: a slot that is further, and other columns, are gaps.
  void take_up(Lsn confirmed, std::map<std::string, std::string> shapes);
  [[nodiscard]] const std::map<std::string, std::string>& shapes() const { return assembler_.shapes(); }
  /// Whether the log holds all it was given, gaps included.
  bool all_durable(std::chrono::milliseconds timeout);

  /// What Postgres may forget.
  [[nodiscard]] Lsn confirmed() const { return confirmed_; }
  [[nodiscard]] Lsn received() const { return received_; }
  [[nodiscard]] bool settled() const { return target_ == confirmed_; }
  /// Whether reading has to wait for the log: too much is on its way, or some of it for so long that it must arrive
  /// before more is sent. Without the latter a log slower than its source would never be seen empty, and so nothing be
  /// confirmed.
  [[nodiscard]] bool full() const;
  /// Whether the log has taken nothing for so long (5 s) that the connection should be given back: a Postgres that
  /// shuts down waits for a connected reader to confirm everything. drain() then tells when it takes records again.
  [[nodiscard]] bool blocked() const;
  void drain(std::chrono::milliseconds timeout);
  /// True once after the server asked for a status.
  bool reply_requested() { return std::exchange(reply_requested_, false); }

 private:
  void take_message(Lsn start, std::string_view payload);
  void publish(const std::string& key, const std::string& value);
  void publish_change(const Change& change);
  void publish_gap(const std::string& reason, Lsn lsn);
  void publish_marker();
  void finish(const FinishedTransaction& transaction);
  void check_failures();
  /// For how long the log has held less than what it was given.
  [[nodiscard]] std::chrono::nanoseconds waited() const;

  const Destination to_;
  EnvelopeSource source_;
  TransactionAssembler assembler_;
  Producer& producer_;
  SideStatus& status_;
  const Clock& clock_;
  const std::function<void()> while_blocked_;
  Lsn received_ = 0, target_ = 0, confirmed_ = 0;
  std::uint64_t failed_ = 0;
  std::string given_up_;  ///< reason of the gap to be told at the next restart
  std::int64_t unconfirmed_commit_us_ = 0;
  std::optional<std::chrono::nanoseconds> waiting_since_;  ///< monotonic; none: settled
  bool reply_requested_ = false;
  std::string writer_;
  struct SeenMarker {
    std::int64_t covers;
    Lsn lsn;
    std::int64_t commit_us;
  };
  std::optional<SeenMarker> marker_;  ///< the latest that came back; published when all before it is durable
};

}  // namespace phoenix::capture
