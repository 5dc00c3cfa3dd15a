// The way of change records into the decision core: decoded, joined with their exchanges where they come from Debezium,
// and set aside where they cannot be read. A record that is set aside may have told of a posting, so what it could have
// told of is unknown from then on. Pure but for the core that it feeds. One thread.
//
// What waits for other records is not stored. After a restart it is read again, which changes nothing in the core: only
// when everything waits again that waited when the state was committed, the shard goes on. So its verdicts are the same
// as without the restart, and `phoenix-arbiter rebuild` comes to them too.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/debezium_decoder.hpp"
#include "arbiter/decision_core.hpp"
#include "arbiter/state_decoder.hpp"
#include "arbiter/stream_joiner.hpp"
#include "arbiter/stream_progress.hpp"

namespace phoenix::arbiter {

class StateFeed {
 public:
  /// `config` with the slices of the shard alone. `before`: of the state that the shard goes on from.
  explicit StateFeed(const config::Config& config, StreamProgress before = {});

  /// Whether the record is of a change stream; the others are the core's.
  [[nodiscard]] bool takes(const LogRecord& record) const;
  /// `read`: how far each partition was read, this record included.
  void take(const LogRecord& record, const Positions& read, DecisionCore& core);
  /// Markers that count by now, where reading went on without a record.
  void take_reached(const Positions& read, DecisionCore& core);
  void note_lost_records(const TopicPartition& where, DecisionCore& core);

  /// Partitions of which something had been taken when the state was committed, without those that the configuration
  /// does not name any more.
  [[nodiscard]] std::vector<TopicPartition> partitions_before() const;
  /// How far a partition had been taken when the state was committed; what stands before is for recall() alone.
  [[nodiscard]] std::int64_t taken_before(const TopicPartition& partition) const;
  /// A record from before taken_before(): waits again if it waited, and is passed over otherwise.
  void recall(const LogRecord& record);
  /// What is stored with a commit. Empty where Debezium's topics are not read.
  [[nodiscard]] StreamProgress progress(const Positions& read) const;

  [[nodiscard]] bool reads_streams() const { return streams_; }
  /// Where a partition must be read again after a restart; nullopt: where reading stopped.
  [[nodiscard]] std::optional<std::int64_t> read_from(const TopicPartition& partition) const;

 private:
  struct HeldMarker {
    StateMarker marker;
    LogRecord record;  ///< without its value
  };

  void hold(StateMarker marker, const LogRecord& record);
  std::size_t drop_outdone(const StateMarker& by, std::size_t before);
  void take_state(const LogRecord& record, DecisionCore& core);
  void take_debezium(const LogRecord& record, DecisionCore& core);
  void set_aside(const LogRecord& record, const std::string& reason, DecisionCore& core);
  void feed_joined(Side side, DecisionCore& core);
  void feed_gap(Side side, std::string reason, std::string account, const LogRecord& record, DecisionCore& core);

  const config::StateSource source_;
  const bool streams_;
  StreamProgress before_;
  StateDecoder decoder_;
  DebeziumDecoder debezium_;
  std::array<StreamJoiner, 2> joiners_;  // by side
  std::deque<HeldMarker> markers_;       // not reached yet, in the order of the log
};

}  // namespace phoenix::arbiter
