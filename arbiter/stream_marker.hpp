// Markers for Debezium's topics, which nobody else writes. A transactional message goes into the database; when the
// connector's slot is confirmed beyond it, the ends of the side's topics are looked up, and a marker record says: read
// so far, and every change that the exchanges below `covers` can have made has been seen. One thread for each side,
// with a connection of its own.
#pragma once

#include <memory>
#include <string>

#include "core/events/event_log.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

class StreamMarker {
 public:
  /// Between two markers while exchanges come, and when nothing happens.
  static constexpr std::chrono::milliseconds kInterval{50};
  static constexpr std::chrono::milliseconds kIdle{1'000};

  struct Options {
    std::string side;                 ///< legacy | modern
    std::string url;                  ///< of its database
    config::StateTableConfig tables;  ///< topics, and the connector's slot
    int partition = 0;                ///< of shadow-requests and db-state-updates
  };

  /// References must outlive it. Trouble is logged once and tried again.
  StreamMarker(Options options, EventLog& log, Producer& producer);
  ~StreamMarker();
  StreamMarker(const StreamMarker&) = delete;
  StreamMarker& operator=(const StreamMarker&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
