// How far a slot is behind, in seconds: the age of the oldest write-ahead log that is not confirmed. Postgres tells
// positions only, so positions are remembered with their times. Pure. One thread.
#pragma once

#include <cstdint>
#include <deque>

#include "arbiter/capture/lsn.hpp"

namespace phoenix::capture {

class SlotLag {
 public:
  static constexpr std::size_t kMaxSamples = 1024;

  /// At `now_us` the log ended at `current` and the slot stood at `confirmed`. `unconfirmed_commit_us` is the commit of
  /// the oldest transaction read but not confirmed, 0 if none: after a start it knows more than the samples. Both times
  /// are the database's clock.
  void observe(std::int64_t now_us, Lsn current, Lsn confirmed, std::int64_t unconfirmed_commit_us);
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] double seconds() const { return seconds_; }

 private:
  struct Sample {
    std::int64_t at_us;
    Lsn end;
  };
  std::deque<Sample> samples_;  // end rises strictly
  std::uint64_t bytes_ = 0;
  double seconds_ = 0;
};

}  // namespace phoenix::capture
