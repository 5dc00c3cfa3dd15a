#include "arbiter/capture/change_publisher.hpp"

#include <fmt/format.h>

#include "arbiter/capture/replication_frame.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::capture {
namespace {

constexpr std::chrono::milliseconds kBlockedWait{50};
constexpr std::chrono::milliseconds kDrainAfter{250};      // then nothing more is read until the log has caught up
constexpr std::chrono::milliseconds kBlockedAfter{5'000};  // then Postgres is let go

}  // namespace

ChangePublisher::ChangePublisher(std::string side, Destination to, std::map<std::string, std::string> tables,
                                 Producer& producer, SideStatus& status, const Clock& clock,
                                 std::function<void()> while_blocked)
    : to_(std::move(to)),
      source_{std::move(side), {}},
      assembler_(std::move(tables)),
      producer_(producer),
      status_(status),
      clock_(clock),
      while_blocked_(std::move(while_blocked)) {}

void ChangePublisher::take_up(Lsn confirmed, std::map<std::string, std::string> shapes) {
  confirmed_ = confirmed;
  assembler_.remember_shapes(std::move(shapes));
}

void ChangePublisher::restart(std::string database, Lsn slot_confirmed, std::string reason) {
  source_.database = std::move(database);
  assembler_.restart();
  if (reason.empty() && confirmed_ != 0 && slot_confirmed > confirmed_) {
    reason = fmt::format("the slot stands at {}, but only what is before {} was captured: it was advanced or recreated",
                         format_lsn(slot_confirmed), format_lsn(confirmed_));
  }
  if (reason.empty()) reason = given_up_;
  // What was read beyond it comes again.
  received_ = target_ = confirmed_ = slot_confirmed;
  waiting_since_.reset();
  unconfirmed_commit_us_ = 0;
  marker_.reset();
  if (!reason.empty()) publish_gap(reason, slot_confirmed);
  given_up_.clear();
  status_.update([&](SideState& state) {
    state.confirmed = confirmed_;
    state.unconfirmed_commit_us = 0;
  });
}

void ChangePublisher::take(std::string_view bytes) {
  const Frame frame = decode_frame(bytes).value();
  if (const auto* keepalive = std::get_if<Keepalive>(&frame)) {
    received_ = std::max(received_, keepalive->wal_end);
    reply_requested_ = reply_requested_ || keepalive->reply_requested;
    // Everything committed before wal_end was read. In a transaction its end is not known yet.
    if (!assembler_.in_transaction()) target_ = std::max(target_, keepalive->wal_end);
    return;
  }
  const auto& data = std::get<WalData>(frame);
  received_ = std::max(received_, data.start);
  take_message(data.start, data.payload);
}

void ChangePublisher::take_message(Lsn start, std::string_view payload) {
  const Message message = decode_pgoutput(payload).value();
  const Step step = assembler_.take(start, message, [this](const Change& change) { publish_change(change); }).value();
  if (unconfirmed_commit_us_ == 0 && assembler_.in_transaction()) {
    unconfirmed_commit_us_ = assembler_.commit_us();
    status_.update([&](SideState& state) { state.unconfirmed_commit_us = unconfirmed_commit_us_; });
  }
  if (!step.gap.empty()) publish_gap(step.gap, start);
  if (step.marker && step.marker->writer == writer_)
    marker_ = SeenMarker{step.marker->covers, start, assembler_.commit_us()};
  if (step.malformed_message) {
    log::warn("{}: a message with prefix '{}' at {} holds no exchange id; its rows are published without one",
              source_.side, TransactionAssembler::kPrefix, format_lsn(start));
    status_.update([](SideState& state) { ++state.malformed_messages; });
  }
  if (step.finished) finish(*step.finished);
}

void ChangePublisher::finish(const FinishedTransaction& transaction) {
  target_ = std::max(target_, transaction.end_lsn);
  if (transaction.changes == 0) return;
  status_.update([&](SideState& state) {
    ++state.transactions;
    if (transaction.foreign) ++state.foreign_transactions;
  });
}

void ChangePublisher::publish_change(const Change& change) {
  EncodedChange encoded = encode_change(change, source_, clock_.unix_ms());
  publish(change.key, encoded.value);
  status_.update([&](SideState& state) {
    ++state.records[{change.relation->schema + "." + change.relation->table, change.op}];
    state.values_left_out += encoded.values_left_out;
  });
}

void ChangePublisher::publish_gap(const std::string& reason, Lsn lsn) {
  log::warn("{}: gap: {}", source_.side, reason);
  publish("", encode_gap(source_, reason, lsn, clock_.unix_ms()));
  status_.update([](SideState& state) { ++state.gaps; });
}

void ChangePublisher::publish_marker() {
  publish("", encode_marker(source_, marker_->covers, marker_->lsn, marker_->commit_us, clock_.unix_ms()));
  marker_.reset();
  status_.update([](SideState& state) { ++state.markers; });
}

void ChangePublisher::publish(const std::string& key, const std::string& value) {
  bool blocked = false;
  while (!producer_.publish_to(to_.partition, to_.topic.c_str(), key, value)) {
    if (producer_.stats().queued == 0) {
      throw Failure(ErrorCode::limit, fmt::format("the event log does not take a record of {} bytes in topic {}",
                                                  key.size() + value.size(), to_.topic));
    }
    if (!blocked) status_.update([](SideState& state) { state.log_blocked = true; });
    blocked = true;
    while_blocked_();
    producer_.flush(kBlockedWait);
  }
  if (blocked) status_.update([](SideState& state) { state.log_blocked = false; });
}

void ChangePublisher::check_failures() {
  const std::uint64_t failed = producer_.stats().failed;
  if (failed == failed_) return;
  const std::uint64_t lost = failed - std::exchange(failed_, failed);
  given_up_ = fmt::format("the event log gave up {} records: they come again, but after later ones", lost);
  throw Failure(ErrorCode::unavailable,
                fmt::format("the event log gave up {} records of topic {}; reading again from {}", lost, to_.topic,
                            format_lsn(confirmed_)));
}

std::chrono::nanoseconds ChangePublisher::waited() const {
  return waiting_since_ ? clock_.monotonic() - *waiting_since_ : std::chrono::nanoseconds(0);
}

bool ChangePublisher::full() const {
  return waited() >= kDrainAfter || producer_.stats().queued_bytes > kMaxUnacknowledgedBytes;
}

bool ChangePublisher::blocked() const {
  return waited() >= kBlockedAfter;
}

void ChangePublisher::drain(std::chrono::milliseconds timeout) {
  if (producer_.flush(timeout)) waiting_since_.reset();
}

void ChangePublisher::settle(std::chrono::milliseconds timeout) {
  check_failures();
  if (settled() && !full() && !marker_) return;
  // Nobody else publishes through this producer, so this covers all that was read.
  const bool durable = producer_.flush(timeout);
  check_failures();
  if (!durable) {
    if (!waiting_since_) waiting_since_ = clock_.monotonic();
    return;
  }
  waiting_since_.reset();
  confirmed_ = target_;
  unconfirmed_commit_us_ = assembler_.commit_us();
  status_.update([&](SideState& state) {
    state.log_blocked = false;
    state.confirmed = confirmed_;
    state.unconfirmed_commit_us = unconfirmed_commit_us_;
  });
  // Not before: had the log given up a change ahead of it, the marker would vouch for what is not there.
  if (marker_) publish_marker();
}

bool ChangePublisher::all_durable(std::chrono::milliseconds timeout) {
  const bool durable = producer_.flush(timeout);
  check_failures();
  return durable;
}

}  // namespace phoenix::capture
