// What a change stream of a ledger says, whoever captured it: phoenix-capture, Debezium, or the arbiter's own reads.
// Plain data: state_decoder turns records of the log into it, the decision core acts on it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "core/events/control_events.hpp"
#include "core/model/decimal.hpp"
#include "core/model/traffic_policy.hpp"

namespace phoenix::arbiter {

/// One committed change of one account's row.
struct StateChange {
  enum class Op : std::uint8_t {
    create,
    update,
    remove,
    snapshot,  ///< the row as it was found when capturing began: seeds state, is never a verdict
  };
  Side side = Side::legacy;
  Op op = Op::update;
  std::string account;
  std::optional<Decimal> before;  ///< balance; absent: the row did not exist, or the stream does not tell the old row
  std::optional<Decimal> after;   ///< balance; absent: the row is gone
  std::string currency;           ///< empty where the row does not say
  std::string exchange_id;        ///< empty: foreign, a transaction without a message of Phoenix
  std::string transaction;        ///< identity of the database transaction within its side
  /// Place in the side's stream: commit, then the change within its transaction. Grows; the same when sent again.
  std::pair<std::uint64_t, std::uint64_t> position{0, 0};
  std::int64_t committed_at_us = 0;  ///< the database's clock, Unix time: for display and job windows, never for order
};

/// Everything that this side committed before has been in the log ahead of this record, and the legs of every exchange
/// whose event stands before `covers` had been answered before the marker was written: what is not there by now of such
/// an exchange does not exist. No clocks are compared.
struct StateMarker {
  Side side = Side::legacy;
  std::int64_t covers = 0;  ///< offset in this partition of `shadow-requests`; events below it are covered
  /// Other partitions that must have been read this far before the marker counts ("topic/partition" -> next offset):
  /// where changes do not come through the partition of the marker itself (Debezium).
  std::map<std::string, std::int64_t> after;
  std::string id;  ///< of the arbiter's own: the same stands in its message in the change stream
  std::int64_t written_at_us =
      0;  ///< the database's clock, or the arbiter's; 0: not told. Gates sweeps, orders nothing
};

/// What is known of this side no longer follows from the records: slot recreated, columns changed, records given up.
struct StateGap {
  Side side = Side::legacy;
  std::string reason;
  std::string account = {};  ///< empty: every account of the side
};

/// A record that says nothing of an account, on purpose: tombstone, heartbeat, a table that is not compared.
struct StateIgnored {
  std::string why;
};

using StateRecord = std::variant<StateChange, StateMarker, StateGap, BalanceReading, StateIgnored>;

}  // namespace phoenix::arbiter
