// The event log of one machine: a SQLite file in WAL mode that any number of processes share.
//
//   records(topic, offset, ts_ms, key, value)       offsets are contiguous per topic, given inside the write
//   transaction topics(topic, next_offset, low_water, bytes)    survives the removal of records; low_water is the first
//   one kept leases(group_name, topic, member, until_ms)     who reads a topic for a group; monotonic clock of this
//   machine progress(group_name, topic, next_offset, at_ms) what readers reported, for people
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "core/events/event_log.hpp"

namespace phoenix::events {

struct SqliteLogOptions {
  std::string path;
  std::chrono::milliseconds retain_age{7LL * 24 * 3600 * 1000};
  std::uint64_t retain_bytes = 4ull << 30;  ///< of keys and values, over all topics
  std::set<std::string, std::less<>> compacted_topics{
      topics::kRoutingControl};                      ///< keep the newest record of each key for ever
  std::chrono::milliseconds compact_after{600'000};  ///< age from which superseded records are removed
  std::chrono::milliseconds retention_interval{1'000};
  std::chrono::milliseconds lease{3'000};
  std::chrono::milliseconds close_timeout{5'000};  ///< how long a producer's destructor tries to write what it accepted
  std::size_t queue_records = 100'000;             ///< bound of each producer
  std::size_t queue_bytes = 256u << 20;
};

/// Creates the directory, the file and its tables when missing; throws Failure when that cannot be done. Any thread.
std::unique_ptr<EventLog> open_sqlite_event_log(SqliteLogOptions options);

}  // namespace phoenix::events
