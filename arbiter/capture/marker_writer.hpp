// Writes markers into one side's database: transactional messages that come back through replication in their place
// among the commits. Each says how far the slice's partition of shadow-requests reached before it was written; whoever
// sees it come back has seen every change that the exchanges below that point can have made. On a thread and a
// connection of its own.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "arbiter/capture/side_status.hpp"
#include "core/events/event_log.hpp"

namespace phoenix::capture {

class MarkerWriter {
 public:
  /// Least frequent: also when nothing happens.
  static constexpr std::chrono::milliseconds kIdle{1'000};

  struct Options {
    std::string side;
    std::string url;     ///< of the database
    std::string writer;  ///< stands in each marker
    int partition = 0;   ///< of shadow-requests
    std::chrono::milliseconds interval{50};
  };

  /// A marker each `interval` in which exchanges were added to the partition, otherwise each second. Trouble is told in
  /// `status` and tried again. References must outlive it.
  MarkerWriter(Options options, EventLog& log, SideStatus& status);
  ~MarkerWriter();
  MarkerWriter(const MarkerWriter&) = delete;
  MarkerWriter& operator=(const MarkerWriter&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::capture
