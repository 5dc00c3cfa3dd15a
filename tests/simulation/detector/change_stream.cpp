#include "tests/simulation/detector/change_stream.hpp"

#include <algorithm>
#include <utility>

namespace phoenix::detector {
namespace {

constexpr std::size_t kUnacknowledged = 50;

}  // namespace

ChangeStream::ChangeStream(Side side, simulation::EventQueue& events, simulation::Dice& dice, std::int64_t latency_us,
                           std::int64_t epoch_us, Deliver deliver)
    : side_(side),
      events_(events),
      dice_(dice),
      latency_us_(latency_us),
      epoch_us_(epoch_us),
      deliver_(std::move(deliver)) {}

void ChangeStream::commit(const std::vector<RowChange>& rows, const std::string& exchange_id) {
  if (rows.empty()) return;
  lsn_ += 64;
  std::uint64_t place = 0;
  for (const RowChange& row : rows) {
    arbiter::StateChange change;
    change.side = side_;
    change.op = row.before_minor ? arbiter::StateChange::Op::update : arbiter::StateChange::Op::create;
    change.account = std::to_string(row.account);
    if (row.before_minor) change.before = Decimal::from_minor(*row.before_minor, 2);
    change.after = Decimal::from_minor(row.after_minor, 2);
    change.currency = "EUR";
    change.exchange_id = exchange_id;
    change.transaction = std::to_string(lsn_);
    change.position = {lsn_, ++place};
    change.committed_at_us = epoch_us_ + events_.now();
    append(std::move(change));
  }
}

void ChangeStream::mark(std::int64_t covers) {
  lsn_ += 64;
  append(arbiter::StateMarker{side_, covers, {}, {}});
}

void ChangeStream::append(arbiter::StateRecord record) {
  waiting_.push_back(std::move(record));
  last_due_us_ = std::max(last_due_us_, events_.now() + 100 + dice_.below(latency_us_));
  events_.after(last_due_us_ - events_.now(), [this] { deliver_next(); });
}

void ChangeStream::deliver_next() {
  deliver_(waiting_.front());
  delivered_.push_back(std::move(waiting_.front()));
  waiting_.pop_front();
  if (delivered_.size() > kUnacknowledged) delivered_.pop_front();
}

void ChangeStream::restart(std::int64_t pause_us) {
  last_due_us_ = std::max(last_due_us_, events_.now() + pause_us);
  events_.after(pause_us, [this] {
    for (const auto& again : delivered_) deliver_(again);
  });
}

}  // namespace phoenix::detector
