// Publishes scores on `consistency-scores`: at once when a slice must not be served by modern any more, otherwise
// paced. The pacing is for readers only; scores themselves are a function of the log.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "arbiter/decision_core.hpp"
#include "core/runtime/clock.hpp"

namespace phoenix::arbiter {

class ScorePublisher {
 public:
  static constexpr std::chrono::milliseconds kHeartbeat{1'000};

  ScorePublisher(Producer& producer, const Clock& clock, std::chrono::milliseconds interval);

  /// Publishes each score whose time has come: a new reason to trip at once, a change after `interval`, anything after
  /// the heartbeat. One thread.
  void offer(const std::vector<ScoreEvent>& scores, const Positions& positions);

 private:
  struct Last {
    std::chrono::nanoseconds at{0};
    std::string value;  // without positions, to see whether anything changed
    std::string trip_reason;
    bool published = false;
  };
  bool is_due(const Last& last, const ScoreEvent& score, const std::string& value) const;

  Producer& producer_;
  const Clock& clock_;
  std::chrono::milliseconds interval_;
  std::map<std::string, Last> last_;
};

}  // namespace phoenix::arbiter
