// Gives the rows of one side's Debezium topics the exchange that made them. Rows and messages travel in topics of their
// own, so a row waits until the message topic has shown something that was emitted later: then every message of its
// transaction before it has been seen. Order within an account is kept. Pure.
//
// After a restart what is held is read again: read_from() says from where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arbiter/debezium_decoder.hpp"

namespace phoenix::arbiter {

class StreamJoiner {
 public:
  static constexpr std::size_t kMaxRows = 100'000;
  static constexpr std::size_t kMaxMessages = 500'000;

  struct Joined {
    StateChange change;
    LogRecord record;  ///< without its value
  };

  /// The next record of its topic and partition. `where`: topic, partition, offset and time count.
  void row(DebeziumRow row, LogRecord where);
  void message(const DebeziumMessage& message, const LogRecord& where);
  /// A marker came back and every partition was read as far as it asks: no row from before it is on its way. False when
  /// the marker is not known, because it was seen in an earlier life.
  bool passed(const std::string& marker);

  /// Rows whose exchange is known, or known to be none, since the last call.
  std::vector<Joined> take_joined();
  /// True once after more was held than the bounds allow, and was let go: exchanges are missing from what followed.
  bool take_overflow() { return std::exchange(overflow_, false); }
  /// Where reading of a partition must begin after a restart; nullopt: nothing of it is held.
  [[nodiscard]] std::optional<std::int64_t> read_from(const TopicPartition& partition) const;
  /// The first row of a partition that is held; nullopt: none.
  [[nodiscard]] std::optional<std::int64_t> first_held_row(const TopicPartition& partition) const;
  [[nodiscard]] std::size_t held_rows() const { return rows_; }

 private:
  struct HeldRow {
    DebeziumRow row;
    LogRecord where;
  };
  struct HeldMessage {
    EmittedAt emitted;
    std::string exchange_id;  ///< empty: a malformed message, which names no exchange
  };

  void release();
  void join(HeldRow held);
  void forget_before(EmittedAt emitted);

  std::map<TopicPartition, std::deque<HeldRow>> held_;  // each in the order of emission
  std::size_t rows_ = 0;
  /// Transaction numbers come again; the commit before the transaction does not.
  using Transaction = std::pair<std::uint64_t, std::string>;
  std::map<Transaction, std::vector<HeldMessage>> messages_;
  struct Place {
    EmittedAt emitted;
    TopicPartition partition;
    std::int64_t offset;
    std::string transaction;  ///< empty: a marker
    std::string marker;
  };
  std::deque<Place> order_;  // of messages and markers, as they were emitted
  EmittedAt seen_{0, 0};     // the latest of the message topic
  std::vector<Joined> joined_;
  bool overflow_ = false;
};

}  // namespace phoenix::arbiter
