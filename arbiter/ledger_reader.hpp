// Reads balances from both ledgers and publishes each reading to `db-state-updates`. Nobody acts on a reading before it
// has come back through the log, so that verdicts are a function of the log. Own thread; both databases may come and
// go.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/events/event_log.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

struct LedgerReaderStats {
  std::uint64_t readings = 0;
  std::uint64_t failures = 0;
  std::array<std::string, 2> problem;  ///< by side; empty while it can be read
  void add(const LedgerReaderStats& other);
};

class LedgerReader {
 public:
  /// Least time between two readings of one account; waiting accounts are re-read at this pace, idle ones more slowly.
  static constexpr std::chrono::milliseconds kLeastInterval{50};
  static constexpr std::chrono::milliseconds kLongestInterval{400};
  static constexpr std::chrono::microseconds kPace{2'000};  ///< bound of the load on the ledgers: 500 accounts a second

  /// Readings go to `partition` of the topic. `producer` must outlive the reader.
  LedgerReader(config::LedgerConfig legacy, config::LedgerConfig modern, Producer& producer, int partition);
  ~LedgerReader();
  LedgerReader(const LedgerReader&) = delete;
  LedgerReader& operator=(const LedgerReader&) = delete;

  /// The accounts to read from now on, until a later call leaves them out; true: something waits for it. A reading
  /// covers every exchange completed up to `exchange_time_us`. Any thread, does not wait for I/O.
  void want(const std::map<std::string, bool>& accounts, std::int64_t exchange_time_us);
  [[nodiscard]] LedgerReaderStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
