// The arbiter's loop: join the group, take up the shards that it is given, and for each read a batch, decide, commit
// results and positions together, then tell others. Own thread. When Postgres or the log is away it consumes nothing
// and tries again; every trouble ends in "drop the state, reload, go on".
#pragma once

#include <memory>

#include "arbiter/status_board.hpp"
#include "arbiter/verdict_store.hpp"
#include "core/events/event_log.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

/// Over how many partitions the slices are spread.
int shard_count(const config::Config& config);

class ExchangeConsumer {
 public:
  /// Everything passed must outlive the consumer. `store` is used by the consumer's thread alone from here on.
  ExchangeConsumer(const config::Config& config, EventLog& log, VerdictStore& store, Producer& producer,
                   StatusBoard& board, const Clock& clock);
  /// Looks at the file of accepted changes at once. Any thread.
  void read_rules_again();
  /// Stops after the batch in hand.
  ~ExchangeConsumer();
  ExchangeConsumer(const ExchangeConsumer&) = delete;
  ExchangeConsumer& operator=(const ExchangeConsumer&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
