#include "arbiter/capture/slot_lag.hpp"

#include <algorithm>

namespace phoenix::capture {

void SlotLag::observe(std::int64_t now_us, Lsn current, Lsn confirmed, std::int64_t unconfirmed_commit_us) {
  if (!samples_.empty() && current < samples_.back().end) samples_.clear();  // another server
  if (samples_.empty() || current > samples_.back().end) samples_.push_back({now_us, current});
  // The first sample beyond the confirmed position bounds the age from below, and errs by one interval at most.
  while (!samples_.empty() && samples_.front().end <= confirmed) samples_.pop_front();
  if (samples_.size() > kMaxSamples) {  // a long outage: every second sample will do
    std::deque<Sample> kept;
    for (std::size_t i = 0; i < samples_.size(); i += 2) kept.push_back(samples_[i]);
    samples_ = std::move(kept);
  }
  bytes_ = current > confirmed ? current - confirmed : 0;
  std::int64_t since_us = now_us;
  if (bytes_ > 0 && !samples_.empty()) since_us = std::min(since_us, samples_.front().at_us);
  if (bytes_ > 0 && unconfirmed_commit_us > 0) since_us = std::min(since_us, unconfirmed_commit_us);
  seconds_ = static_cast<double>(now_us - since_us) / 1e6;
}

}  // namespace phoenix::capture
