// Through which gateways a key was written lately. Keys have no owner among gateways, so two gateways that write one
// key at about the same time may give both backends another order of its writes: the key is split. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::arbiter {

/// Writes of one key through one gateway, each within kSplitWithinUs of the one before it. Incarnations of a gateway
/// count as one: what an earlier one began, the next one finishes in order.
struct KeyWriter {
  std::string slice;
  std::string gateway;
  std::string exchange_id;    ///< of the latest write
  std::int64_t first_us = 0;  ///< when the first of them was received, event time
  std::int64_t last_us = 0;   ///< when both legs of the last one were over
};

/// Two gateways that write a key closer to each other than this split it. Event time.
inline constexpr std::int64_t kSplitWithinUs = 60'000'000;

/// What is remembered of a key: the latest ones. Writes that come late are compared as long as no more than so many
/// came after them with a minute's rest between.
inline constexpr std::size_t kWritersKept = 4;

/// Notes a write that took from `write.first_us` to `write.last_us`, in whatever order writes arrive. Returns what
/// another gateway wrote too close to it, or nothing.
std::optional<KeyWriter> note_write(std::vector<KeyWriter>& writers, const KeyWriter& write);

}  // namespace phoenix::arbiter
