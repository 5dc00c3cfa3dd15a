// The JSON events beside the exchange: balances, verdicts, scores, policies, heartbeats. Each value carries its schema
// version `v`. docs/events.md is the public description. Pure: text in, text out.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/consistency_score.hpp"
#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"
#include "core/model/verdict.hpp"

namespace phoenix {

/// `db-state-updates`, the arbiter's own reads: a Debezium envelope with op "r" and source "query". Key: account.
struct BalanceReading {
  std::string account;
  Side side = Side::legacy;
  bool exists = false;  ///< the account was not found otherwise
  std::int64_t balance_minor = 0;
  int scale = 2;  ///< digits after the point of balance_minor
  std::string currency;
  std::optional<std::int64_t> txn_count;  ///< position: number of transactions applied
  std::string txn_hash;                   ///< position: order-insensitive hash of their exchange ids, as text
  std::int64_t read_at_us = 0;            ///< Unix time
  std::uint64_t read_id = 0;              ///< which read of this account this is: both sides of one read share it
};
std::string encode(const BalanceReading& reading);
Result<BalanceReading> decode_balance_reading(std::string_view text);

/// `verdicts`: every verdict that is not a plain match. Key: account or exchange id.
struct VerdictEvent {
  std::string exchange_id;  ///< empty for a verdict on an account alone
  std::string account;
  std::string slice;
  std::string route;
  Verdict verdict = Verdict::unknown;
  std::string detail;  ///< one line for people: "/fee: legacy 0.26, modern 0.21"
  std::int64_t event_time_us = 0;
  std::uint64_t rung = 0;
  std::string cause{};         ///< why the two sides differ: a label of docs/causes.md; empty where that is no question
  std::string cause_detail{};  ///< what was recomputed, in one line
};
std::string encode(const VerdictEvent& verdict);
Result<VerdictEvent> decode_verdict_event(std::string_view text);

/// `verdicts` too, but no verdict: a key that two gateways wrote so close to each other that its order is not known.
/// Told by its member `notice`. Key: the business key.
struct SplitKeyNotice {
  std::string slice;
  std::string key;
  std::array<std::string, 2> gateways;      ///< the one whose write came first to the arbiter, then the other
  std::array<std::string, 2> exchange_ids;  ///< a write through each
  std::int64_t event_time_us = 0;           ///< when the second of them was over
  std::uint64_t rung = 0;                   ///< under which it counts
};
std::string encode(const SplitKeyNotice& notice);
Result<SplitKeyNotice> decode_split_key_notice(std::string_view text);

/// Changes of one ledger that came from outside Phoenix.
struct ForeignChanges {
  std::uint64_t count = 0;
  std::map<std::string, std::int64_t> minor_units;  ///< by currency: sum of the absolute amounts
  friend bool operator==(const ForeignChanges&, const ForeignChanges&) = default;
};

/// `consistency-scores`. Key: slice. Counts are of the current rung; reads and writes apart, the lower counts.
struct ScoreEvent {
  struct Class {               // reads, or writes
    EvidenceCounts units;      ///< distinct (account, route) of the rung: the raise
    EvidenceCounts exchanges;  ///< every decided exchange of the rung: what people look at
    friend bool operator==(const Class&, const Class&) = default;
  };
  std::string slice;
  std::uint64_t rung = 0;  ///< policy rung the counts belong to
  Class reads;
  Class writes;
  double score = 0;        ///< lower of the two classes; 0 while nothing is decided
  double score_lower = 0;  ///< anytime-valid lower bound at the configured alpha, lower of the two classes
  double coverage = 0;     ///< decided / (received - excluded beforehand), of the rung
  std::uint64_t received = 0, excluded = 0, decided = 0, pending = 0, unknown = 0;  ///< of the rung
  std::uint64_t confirmed_balance_mismatches = 0;                                   ///< of the rung
  std::uint64_t split_keys = 0;                    ///< of the rung: keys that two gateways wrote close to each other
  std::array<ForeignChanges, 2> foreign_unpaired;  ///< of the rung, by side: without a counterpart on the other one
  bool cusum_tripped = false;
  std::string trip_reason;  ///< empty, or why the arbiter holds that the slice must not be served by modern
  std::map<std::string, std::int64_t> drift_minor_units;  ///< by currency
  std::int64_t oldest_pending_us = 0;                     ///< event time of it; 0 when none
  std::int64_t event_time_us = 0;                         ///< how far the arbiter's event time has come
  std::map<std::string, std::int64_t> positions;          ///< "topic/partition" -> next offset
};
std::string encode(const ScoreEvent& score);
Result<ScoreEvent> decode_score_event(std::string_view text);

/// `routing-control` and PUT /policy. Key: migration name. `renewal`, `rung` and `latches` may be absent.
std::string encode(const TrafficPolicy& policy);
Result<TrafficPolicy> decode_traffic_policy(std::string_view text);

/// `gateway-status`. Key: gateway id.
struct GatewayStatus {
  struct Route {
    std::string route;
    std::string slice;
    std::uint64_t received = 0, in_flight = 0, handed_over = 0;
    std::map<std::string, std::uint64_t> excluded;  ///< by reason
    std::map<std::string, std::uint64_t> dropped;   ///< by reason
    std::uint64_t lost = 0;                         ///< in flight when an earlier process of the gateway died
  };
  std::string gateway;
  std::string incarnation;
  std::int64_t at_us = 0;
  std::uint64_t applied_epoch = 0;
  bool lease_live = false;
  bool draining = false;
  std::vector<SlicePolicy> slices;  ///< effective: after latches and lease
  std::vector<KillLatch> latches;
  std::vector<Route> routes;
  std::map<std::string, std::uint64_t> backlog;  ///< shadow legs waiting, by backend
  std::map<std::string, bool> backend_up;
  std::map<std::string, std::uint64_t> serving_errors;  ///< by backend: failed serving legs and 5xx, since start
  std::map<std::string, std::uint64_t> served;          ///< by backend, since start
  std::uint64_t keys_behind = 0, keys_tainted = 0;
  /// Every compared exchange received before this time has ended, and its event is in the log ahead of this heartbeat:
  /// what a ledger lacks of an earlier time is not on its way any more. 0: not known.
  std::int64_t settled_until_us = 0;
};
std::string encode(const GatewayStatus& status);
Result<GatewayStatus> decode_gateway_status(std::string_view text);

}  // namespace phoenix
