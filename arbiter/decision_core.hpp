// The arbiter's decisions: a state machine from log records to verdicts. Pure: no clock, no I/O. Event time is the
// largest time seen in the log, so replaying the log gives the same verdicts. One thread.
//
// Order of work for an exchange: dedupe by id, count as received, wait for its predecessors of the same keys, compare
// the answers, judge the balance against the account's gap, then either decide or leave it open until the account is
// aligned.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "arbiter/accepted_change_policy.hpp"
#include "arbiter/account_state.hpp"
#include "arbiter/cause_state.hpp"
#include "arbiter/noise_board.hpp"
#include "arbiter/posting_facts.hpp"
#include "arbiter/posting_ledger.hpp"
#include "arbiter/response_differ.hpp"
#include "arbiter/score_window.hpp"
#include "core/events/event_log.hpp"
#include "core/events/exchange_event.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

/// One row of the verdict table and one event on `verdicts`.
struct DecidedVerdict {
  std::string id;  ///< the exchange's id, or account/NAME/TIME for a verdict on an account alone
  VerdictEvent event;
};

/// What `explain` shows of an exchange that is not a plain match.
struct Evidence {
  ExchangeEvent exchange;
  std::string legacy_balance;  ///< as text; empty when the answer stated none
  std::string modern_balance;
  std::vector<ValueDifference> differences;
  std::vector<AccountPosting> postings;  ///< of every account it touched, where change streams are read
};

/// (slice, route, rung, what): what is a verdict's name, or received, excluded, dropped, split_key, cause_LABEL.
inline constexpr std::string_view kCauseCounter = "cause_";
using CounterKey = std::tuple<std::string, std::string, std::uint64_t, std::string>;

struct RejectedRecord {
  std::string topic;
  int partition = 0;
  std::int64_t offset = 0;
  std::string reason;
  std::string value;  ///< the first 64 KiB
};

struct DriftEntry {
  std::string slice, currency;
  std::int64_t gap_minor = 0;
  std::string legacy_balance, modern_balance;  ///< last known, as text; may be empty
  std::string since;
};

/// An exchange that is not decided yet, as stored.
struct OpenExchange {
  bool waiting = false;  ///< for its predecessors; otherwise for its account to be aligned
  bool late = false;
  std::int64_t since_us = 0;  ///< event time
  std::string frame;          ///< as it came from the log
  std::int64_t offset = -1;   ///< of its event
  std::uint64_t mark = 0;     ///< what it waits for on its account (posting_ledger); 0: nothing yet
};

/// Everything one batch changes; written in one transaction.
struct CoreChanges {
  std::vector<DecidedVerdict> verdicts;
  std::vector<std::string> retracted;  ///< ids
  std::vector<Evidence> evidence;
  /// Postings that came late, by exchange: those on both sides take the place of what was said of their account.
  std::map<std::string, std::vector<AccountPosting>> late_postings;
  std::vector<SplitKeyNotice> split_keys;
  std::map<CounterKey, std::int64_t> counters;
  std::unordered_set<std::string> accounts;
  std::unordered_set<std::string> undrifted;  ///< accounts whose sides no longer differ
  std::set<std::string> slices;
  std::vector<std::pair<std::int64_t, std::string>> seen;                  ///< event time, exchange id
  std::vector<std::string> decided;                                        ///< ids whose DecidedExchange changed
  std::unordered_set<std::string> open;                                    ///< ids whose OpenExchange changed or went
  std::unordered_set<std::string> opened;                                  ///< those of them that appeared
  std::vector<std::tuple<std::string, std::uint64_t, std::string>> units;  ///< slice, rung, unit
  std::vector<RejectedRecord> rejected;
  CauseChanges causes;
  std::set<RouteName> noise;  ///< routes of which something new is known
  std::uint64_t records = 0;

  /// True when nothing but positions has to be written.
  [[nodiscard]] bool empty() const {
    return verdicts.empty() && retracted.empty() && evidence.empty() && late_postings.empty() && split_keys.empty() &&
           counters.empty() && accounts.empty() && slices.empty() && seen.empty() && decided.empty() && open.empty() &&
           units.empty() && rejected.empty() && noise.empty();
  }
};

/// Offset to read next, by partition; ConsumerOptions::kBeginning (or absent) where nothing was read yet.
using Positions = std::map<TopicPartition, std::int64_t>;

/// What a gateway last told of itself.
struct Heartbeat {
  std::int64_t at_us = 0;
  std::int64_t settled_until_us = 0;  ///< everything it saw completed until then has its shadow leg behind it
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

/// The whole state, for storing and reloading.
struct CoreState {
  Positions positions;  ///< not the core's: it starts where these end
  std::int64_t event_time_us = 0;
  std::int64_t exchange_time_us = 0;
  std::map<std::string, AccountState> accounts;
  std::map<std::string, OpenExchange> open;
  std::map<std::string, WindowState> windows;
  std::vector<std::pair<std::string, std::string>> units;  ///< slice, unit (of the window's rung)
  std::vector<std::pair<std::int64_t, std::string>> seen;  ///< event time, id; ascending
  std::map<CounterKey, std::int64_t> counters;
  std::map<std::string, std::uint64_t> rejected;             ///< by topic
  std::map<std::string, Heartbeat> heartbeats;               ///< by gateway
  std::unordered_map<std::string, DecidedExchange> decided;  ///< where change streams are read
  LedgerState ledger;
  CauseState causes;
  std::map<RouteName, RouteNoise> noise;
  std::string accepted_rules;   ///< active rules and their counts (ActiveRules::stored); not the core's
  std::string stream_progress;  ///< encode(StreamProgress); not the core's
};

class DecisionCore {
 public:
  /// `policy` is asked about differences where change streams are read; nullptr: nothing is accepted.
  DecisionCore(const config::Config& config, CoreState state, AcceptedChangePolicy* policy = nullptr);
  ~DecisionCore();
  DecisionCore(const DecisionCore&) = delete;
  DecisionCore& operator=(const DecisionCore&) = delete;

  /// Takes the next record of `shadow-requests`, `db-state-updates` or `gateway-status`. Never fails: what cannot be
  /// read is set aside.
  void apply(const LogRecord& record);
  /// Sets a record aside that whoever decodes it could not read.
  void reject(const LogRecord& record, const std::string& reason);
  /// What a record of `db-state-updates` (or of a Debezium topic) says, where state_source is not `query`.
  void apply_state(const StateRecord& record, const LogRecord& where);
  /// Both ledgers were compared as a whole: the account's balances at the present place of both streams (absent: as the
  /// stream tells it). What was unknown of the account is known again.
  void rebase(const std::string& account, const std::array<std::optional<Decimal>, 2>& balances);
  /// Retention of the log passed this reader: what was lost may have moved any account.
  void note_lost_records();
  /// What changed since the last call.
  CoreChanges take_changes();

  [[nodiscard]] std::int64_t event_time_us() const;
  /// The largest completion of an exchange seen: what a reading that starts now covers.
  [[nodiscard]] std::int64_t exchange_time_us() const;
  [[nodiscard]] const std::map<std::string, Heartbeat>& heartbeats() const;
  [[nodiscard]] const AccountState& account(const std::string& name) const;
  /// nullptr when no record spoke of it.
  [[nodiscard]] const AccountState* find_account(const std::string& name) const;
  /// Whether exchanges of the account wait for a predecessor.
  [[nodiscard]] bool waits_on(const std::string& account) const;
  /// Whether records were lost that may have told of it, so that what is known of its balances proves nothing.
  [[nodiscard]] bool is_unknown(const AccountState& account) const;
  /// Whether balances come from both ledgers' change streams.
  [[nodiscard]] bool reads_streams() const;
  /// Up to `most` accounts of which records were lost. Looks at all accounts.
  [[nodiscard]] std::vector<std::string> unknown_accounts(std::size_t most) const;
  /// Every compared exchange received before it has ended and was seen, and where change streams are read whatever the
  /// ledgers committed before it; INT64_MAX: no gateway says.
  [[nodiscard]] std::int64_t settled_until_us() const;
  [[nodiscard]] const WindowState& window(const std::string& slice) const;
  /// nullptr in query mode, and for what was not seen or is forgotten.
  [[nodiscard]] const DecidedExchange* decided(const std::string& exchange_id) const;
  /// Where both change streams stand; nothing in query mode.
  [[nodiscard]] std::optional<LedgerState> ledger() const;
  /// nullptr when it is no longer open.
  [[nodiscard]] const OpenExchange* open(const std::string& exchange_id) const;
  /// Event time of the earliest id still remembered.
  [[nodiscard]] std::int64_t seen_since_us() const;
  [[nodiscard]] const DriftEntry* drift(const std::string& account) const;

  /// Accounts whose ledgers must be read (again); true: an exchange waits for it.
  [[nodiscard]] const std::map<std::string, bool>& wanted_readings() const;
  /// What differs when legacy is asked twice.
  [[nodiscard]] const std::map<RouteName, RouteNoise>& noise() const;
  /// One score per slice, without log positions.
  [[nodiscard]] std::vector<ScoreEvent> scores() const;
  [[nodiscard]] const std::map<CounterKey, std::int64_t>& counters() const;
  [[nodiscard]] const std::map<std::string, std::uint64_t>& rejected() const;
  [[nodiscard]] std::size_t open_count() const;
  [[nodiscard]] std::int64_t oldest_open_us() const;  ///< event time; 0 when none

  static constexpr std::int64_t kRememberIdsUs = 600'000'000;
  static constexpr std::size_t kRememberIds = 200'000;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
