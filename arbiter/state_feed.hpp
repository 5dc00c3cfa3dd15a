// The way of change records into the decision core: decoded, joined with their exchanges where they come from Debezium,
// and set aside where they cannot be read. A record that is set aside may have told of a posting, so what it could have
// told of is unknown from then on. Pure but for the core that it feeds. One thread.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <string>

#include "arbiter/debezium_decoder.hpp"
#include "arbiter/decision_core.hpp"
#include "arbiter/state_decoder.hpp"
#include "arbiter/stream_joiner.hpp"

namespace phoenix::arbiter {

class StateFeed {
 public:
  /// `config` with the slices of the shard alone.
  explicit StateFeed(const config::Config& config);

  /// Whether the record is of a change stream; the others are the core's.
  [[nodiscard]] bool takes(const LogRecord& record) const;
  /// `read`: how far each partition was read, this record included.
  void take(const LogRecord& record, const Positions& read, DecisionCore& core);
  void note_lost_records(const TopicPartition& where, DecisionCore& core);

  [[nodiscard]] bool reads_streams() const { return streams_; }
  /// Where a partition of Debezium must be read again after a restart; nullopt: where reading stopped.
  [[nodiscard]] std::optional<std::int64_t> read_from(const TopicPartition& partition) const;

 private:
  struct HeldMarker {
    StateMarker marker;
    LogRecord record;  ///< without its value
  };

  void take_state(const LogRecord& record, DecisionCore& core);
  void take_debezium(const LogRecord& record, DecisionCore& core);
  void set_aside(const LogRecord& record, const std::string& reason, DecisionCore& core);
  void feed_joined(Side side, DecisionCore& core);
  void feed_markers(const Positions& read, DecisionCore& core);
  void feed_gap(Side side, std::string reason, std::string account, const LogRecord& record, DecisionCore& core);

  const config::StateSource source_;
  const bool streams_;
  StateDecoder decoder_;
  DebeziumDecoder debezium_;
  std::array<StreamJoiner, 2> joiners_;  // by side
  std::deque<HeldMarker> markers_;       // not reached yet, in their order
};

}  // namespace phoenix::arbiter
