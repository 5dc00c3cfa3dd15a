// How far a shard had taken the change streams when its state was committed. Rows and markers that wait for other
// records are not stored: a restart reads them again, from positions that lie before this, and must then tell what
// waited from what had been taken. Plain data and its text.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/events/event_log.hpp"

namespace phoenix::arbiter {

struct StreamProgress {
  struct Taken {
    /// Offset: what stands before it was taken, or waited for other records.
    std::int64_t until = ConsumerOptions::kBeginning;
    std::int64_t rows_until = ConsumerOptions::kBeginning;  ///< offset: no row before it waited
  };
  std::map<TopicPartition, Taken> taken;  ///< of `db-state-updates` and Debezium's topics
};

std::string encode(const StreamProgress& progress);
/// Of empty text: nothing was taken. invalid_input for text that encode() did not write.
Result<StreamProgress> decode_stream_progress(const std::string& text);

}  // namespace phoenix::arbiter
