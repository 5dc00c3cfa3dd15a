#include "arbiter/decision_core.hpp"

#include <deque>

#include "arbiter/clean_text.hpp"
#include "arbiter/core_book.hpp"
#include "arbiter/exchange_judge.hpp"
#include "arbiter/exchange_order.hpp"
#include "arbiter/state_judge.hpp"
#include "arbiter/sweep_judge.hpp"
#include "core/model/business_key.hpp"

namespace phoenix::arbiter {
namespace {

constexpr std::int64_t kSilentGatewayUs = 60'000'000;
constexpr int kSettlesUntilUnknown = 6;  // how long a suspect waits for readings, in units of `settle`

std::string incarnation_of(const ExchangeEvent& exchange) {
  return exchange.gateway + "/" + exchange.incarnation;
}

bool has_ledgers(const config::Config& config) {
  return !config.arbiter.legacy_db.url.empty() && !config.arbiter.modern_db.url.empty();
}

std::int64_t microseconds_of(std::chrono::milliseconds time) {
  return time.count() * 1'000;
}

}  // namespace

struct DecisionCore::Impl {
  Impl(const config::Config& config, CoreState state, AcceptedChangePolicy* policy)
      : settings(config),
        ledgers(has_ledgers(config)),
        settle_us(microseconds_of(config.arbiter.settle)),
        book(settings, state),
        judge(settings, book, ledgers, policy),
        heartbeats(std::move(state.heartbeats)) {
    // A shadow leg may be on its way for as long as the gateway waits for an answer; nothing is missing before that.
    times.absence_us = settle_us + microseconds_of(config.gateway.timeouts.response);
    for (auto& [route, known] : state.noise) noise.restore(route, std::move(known));
    note_settled();
    if (config.arbiter.state_source != config::StateSource::query) {
      streams = std::make_unique<StateJudge>(settings, book, policy, times.absence_us, std::move(state.ledger));
      book.begin_changes();
      return;
    }
    for (const auto& [id, open] : book.open_exchanges) {
      if (open.waiting) {
        index_waiting(read_exchange(open.frame).value(), open.since_us);
      } else {
        deadlines.emplace(open.since_us + suspect_limit_us(), id);
      }
    }
    for (auto& [name, account] : book.accounts) {
      note_suspicion(name, account);
      note_wanted(name);
    }
    book.begin_changes();
  }

  void apply(const LogRecord& record) {
    ++book.changes.records;
    if (record.topic == topics::kShadowRequests) {
      take_exchange(record);
    } else if (record.topic == topics::kGatewayStatus) {
      take_gateway_status(record);
    } else if (streams && is_ledger_comparison(record.value)) {
      take_stream_comparison(record);
    } else if (streams) {
      book.reject(record, "a record that nobody decoded (arbiter.state_source)");
    } else {
      take_balance_reading(record);
    }
    finish(record);
  }

  void apply_state(const StateRecord& record, const LogRecord& where) {
    ++book.changes.records;
    if (streams) streams->apply(record, moment(where));
    finish(where);
  }

  /// What follows every record.
  void finish(const LogRecord& record) {
    if (streams) {
      streams->pass_time(moment(record), settled_until_us());
    } else {
      pass_time();
      for (const auto& name : book.touched) note_wanted(name);
    }
    book.note_drift();
  }

  [[nodiscard]] Moment moment(const LogRecord& record) const {
    return {book.event_time_us, record.timestamp_ms * 1'000};
  }

  /// No exchange received before is still to come. Without heartbeats: when it is older than any leg can take.
  [[nodiscard]] std::int64_t settled_until_us() const {
    return std::min(times.settled_until_us, heartbeats.empty() ? book.event_time_us - times.absence_us : INT64_MAX);
  }

  // ---- exchanges, in the order of their keys ----

  void take_exchange(const LogRecord& record) {
    auto exchange = read_exchange(record.value);
    if (!exchange) return book.reject(record, exchange.error().message);
    if (const int partition = slice_partition(settings, exchange->slice); partition != record.partition) {
      return book.reject(record, fmt::format("slice '{}' belongs to partition {}: its gateway has another "
                                             "event_log.kafka.partitions than this arbiter",
                                             exchange->slice, partition));
    }
    book.advance(exchange->completed_at_us, record, true);
    if (!book.remember(exchange->exchange_id)) return;  // delivered twice
    if (exchange->calibration) {
      noise.take(*exchange, judge.compare_repeat(*exchange), judge.balance_path_of(exchange->route));
      if (noise.routes().contains({exchange->slice, exchange->route}))
        book.changes.noise.insert({exchange->slice, exchange->route});
      return;
    }
    book.receive(*exchange);
    book.note_writers(*exchange);
    if (streams) return streams->judge(std::move(*exchange), record.value, record.offset, moment(record));
    if (must_wait(*exchange)) return hold(*exchange, record.value);
    judge_and_release(std::move(*exchange), record.value);
    while (order.full()) release(order.oldest());
  }

  bool must_wait(const ExchangeEvent& exchange) {
    if (!judge.carries_balances() && !ledgers) return false;  // nothing is carried from one exchange to the next
    for (const auto& key : exchange.keys) {
      if (key.sequence > book.accounts[key.key].expected_sequence(incarnation_of(exchange))) return true;
    }
    return false;
  }

  void hold(const ExchangeEvent& exchange, const std::string& frame) {
    index_waiting(exchange, book.event_time_us);
    book.open(exchange.exchange_id, {true, false, book.event_time_us, frame});
    for (const auto& key : exchange.keys) note_activity(book.touch(key.key), exchange);
  }

  static void note_activity(AccountState& account, const ExchangeEvent& exchange) {
    account.slice = exchange.slice;
    account.last_completed_us = std::max(account.last_completed_us, exchange.completed_at_us);
  }

  void index_waiting(const ExchangeEvent& exchange, std::int64_t since_us) {
    order.hold(exchange.exchange_id, incarnation_of(exchange), exchange.keys, exchange.completed_at_us);
    for (const auto& key : exchange.keys) ++waiting_on[key.key];
    deadlines.emplace(since_us + patience_us(exchange), exchange.exchange_id);
  }

  /// The gateway sends shadow legs of a key one after the other, so what has both legs follows its predecessors
  /// closely. What went without a shadow leg was told at once, while a predecessor's leg may still be on its way.
  [[nodiscard]] std::int64_t patience_us(const ExchangeEvent& exchange) const {
    return exchange.shadow.outcome == LegOutcome::ok ? settle_us : times.absence_us;
  }

  /// Judges an exchange, then those that waited for it.
  void judge_and_release(ExchangeEvent first, const std::string& first_frame) {
    std::deque<ExchangeEvent> ready;
    judge_in_order(first, first_frame);
    ready.push_back(std::move(first));
    for (; !ready.empty(); ready.pop_front()) {
      const std::string incarnation = incarnation_of(ready.front());
      for (const auto& key : ready.front().keys) {
        const auto expected = book.accounts[key.key].expected_sequence(incarnation);
        const std::string id = order.waiting_at(key.key, incarnation, expected);
        if (id.empty()) continue;
        ExchangeEvent next = read_exchange(book.open_exchanges.at(id).frame).value();
        if (must_wait(next)) continue;
        const std::string frame = unhold(next);
        judge_in_order(next, frame);
        ready.push_back(std::move(next));
      }
    }
  }

  /// The frame of what waited.
  std::string unhold(const ExchangeEvent& exchange) {
    order.remove(exchange.exchange_id);
    for (const auto& key : exchange.keys) {
      if (const auto at = waiting_on.find(key.key); at != waiting_on.end() && --at->second <= 0) waiting_on.erase(at);
      book.touch(key.key);
    }
    return book.close(exchange.exchange_id).frame;
  }

  /// Its predecessors do not come: an event of these keys is lost, so the next change of a gap proves nothing.
  void release(const std::string& waiting_id) {
    for (const auto& id : order.up_to(waiting_id)) {
      const auto at = book.open_exchanges.find(id);
      if (at == book.open_exchanges.end()) continue;  // released by one before it
      ExchangeEvent exchange = read_exchange(at->second.frame).value();
      const std::string frame = unhold(exchange);
      for (const auto& key : exchange.keys) {
        AccountState& account = book.touch(key.key);
        if (key.sequence > account.expected_sequence(incarnation_of(exchange)))
          note_lost(account, exchange.completed_at_us);
      }
      judge_and_release(std::move(exchange), frame);
    }
  }

  void judge_in_order(const ExchangeEvent& exchange, const std::string& frame) {
    const std::string incarnation = incarnation_of(exchange);
    bool late = false;
    for (const auto& key : exchange.keys) {
      AccountState& account = book.touch(key.key);
      const bool overtaken = exchange.completed_at_us < account.judged_us && account.restarted_since(incarnation);
      note_activity(account, exchange);
      account.judged_us = std::max(account.judged_us, exchange.completed_at_us);
      if (key.sequence == 0) continue;
      const bool behind = overtaken || (key.sequence != 1 && key.sequence < account.expected_sequence(incarnation));
      late = late || (behind && &key == &exchange.keys.front());
      account.advance_sequence(incarnation, key.sequence + 1);
    }
    judge.judge(exchange, frame, late);
    if (book.open_exchanges.contains(exchange.exchange_id)) {
      deadlines.emplace(book.event_time_us + suspect_limit_us(), exchange.exchange_id);
    }
  }

  // ---- heartbeats, readings and time ----

  /// How far all gateways have settled. One that has been silent for long holds nobody up: its shadow legs went with
  /// it.
  void take_gateway_status(const LogRecord& record) {
    const auto status = decode_gateway_status(record.value);
    if (!status) return book.reject(record, status.error().message);
    book.advance(status->at_us, record, false);
    if (status->settled_until_us == 0) return;
    heartbeats[status->gateway] = {status->at_us, status->settled_until_us};
    note_settled();
  }

  void note_settled() {
    times.settled_until_us = INT64_MAX;
    for (const auto& [gateway, beat] : heartbeats) {
      if (beat.at_us + kSilentGatewayUs < book.event_time_us) continue;
      times.settled_until_us = std::min(times.settled_until_us, beat.settled_until_us);
    }
  }

  /// Both ledgers' balance of an account, from a sweep or a resync.
  void take_ledger_comparison(const LogRecord& record) {
    auto comparison = decode_ledger_comparison(record.value);
    if (!comparison) return book.reject(record, comparison.error().message);
    clean(*comparison);
    book.advance(comparison->high_us, record, false);
    AccountState& account = book.touch(comparison->account);
    Findings findings;
    const auto outcome = take_comparison(account, *comparison, waiting_on.contains(comparison->account), findings);
    if (!outcome) return book.reject(record, outcome.error().message);
    judge.settle(comparison->account, findings);
    if (*outcome == ComparisonOutcome::undetected) book.count_undetected(account.slice);
  }

  void take_stream_comparison(const LogRecord& record) {
    auto comparison = decode_ledger_comparison(record.value);
    if (!comparison) return book.reject(record, comparison.error().message);
    clean(*comparison);
    book.advance(comparison->high_us, record, false);
    const auto outcome = streams->compare_ledgers(*comparison, moment(record));
    if (!outcome) return book.reject(record, outcome.error().message);
    if (*outcome == ComparisonOutcome::undetected) book.count_undetected(book.accounts[comparison->account].slice);
  }

  static void clean(LedgerComparison& comparison) {
    for (auto* name : {&comparison.account, &comparison.slice, &comparison.run}) *name = clean_text(*name);
    for (auto& balance : comparison.balances) balance.currency = clean_text(balance.currency);
  }

  void take_balance_reading(const LogRecord& record) {
    if (is_ledger_comparison(record.value)) return take_ledger_comparison(record);
    auto reading = decode_balance_reading(record.value);
    if (!reading) return book.reject(record, reading.error().message);
    reading->account = clean_text(reading->account);
    reading->txn_hash = clean_text(reading->txn_hash);
    reading->currency = clean_text(reading->currency);
    book.advance(reading->read_at_us, record, false);
    if (!book.accounts.contains(reading->account)) return;
    AccountState& account = book.touch(reading->account);
    Findings findings;
    take_reading(account, *reading, book.event_time_us, times, findings);
    judge.settle(reading->account, findings);
    note_suspicion(reading->account, account);
  }

  void note_suspicion(const std::string& name, const AccountState& account) {
    if (account.suspicion) account_deadlines.emplace(account.suspicion->read_at_us + times.hold_us, name);
  }

  void pass_time() {
    while (!deadlines.empty() && deadlines.begin()->first <= book.event_time_us) {
      const std::string id = deadlines.begin()->second;
      deadlines.erase(deadlines.begin());
      const auto at = book.open_exchanges.find(id);
      if (at == book.open_exchanges.end()) continue;
      if (at->second.waiting) {
        release(id);
      } else if (at->second.since_us + suspect_limit_us() <= book.event_time_us) {
        judge.give_up(id);
      }
    }
    while (!account_deadlines.empty() && account_deadlines.begin()->first <= book.event_time_us) {
      const std::string name = account_deadlines.begin()->second;
      account_deadlines.erase(account_deadlines.begin());
      Findings findings;
      const auto again = arbiter::pass_time(book.touch(name), book.event_time_us, times, findings);
      judge.settle(name, findings);
      if (again) account_deadlines.emplace(*again, name);
    }
  }

  [[nodiscard]] std::int64_t suspect_limit_us() const { return ledgers ? settle_us * kSettlesUntilUnknown : settle_us; }

  void note_wanted(const std::string& name) {
    if (!ledgers) return;
    const AccountState& account = book.accounts[name];
    const bool urgent = !account.suspects.empty() || account.suspicion || waiting_on.contains(name);
    if (account.dirty || urgent) {
      wanted[name] = urgent;
    } else {
      wanted.erase(name);
    }
  }

  const config::Config settings;
  const bool ledgers;
  const std::int64_t settle_us;
  CoreBook book;
  ExchangeJudge judge;
  NoiseBoard noise;
  AlignmentTimes times;
  std::map<std::string, Heartbeat> heartbeats;  // by gateway
  ExchangeOrder order;
  std::unordered_map<std::string, int> waiting_on;             // exchanges that wait for a predecessor, by key
  std::multimap<std::int64_t, std::string> deadlines;          // event time -> open exchange
  std::multimap<std::int64_t, std::string> account_deadlines;  // event time -> account with a held difference
  std::map<std::string, bool> wanted;
  std::unique_ptr<StateJudge> streams;  // instead of `judge`, where both ledgers' change streams are read
};

DecisionCore::DecisionCore(const config::Config& config, CoreState state, AcceptedChangePolicy* policy)
    : impl_(std::make_unique<Impl>(config, std::move(state), policy)) {}
DecisionCore::~DecisionCore() = default;

void DecisionCore::apply(const LogRecord& record) {
  impl_->apply(record);
}
void DecisionCore::apply_state(const StateRecord& record, const LogRecord& where) {
  impl_->apply_state(record, where);
}

void DecisionCore::rebase(const std::string& account, const std::array<std::optional<Decimal>, 2>& balances) {
  if (!impl_->streams) return;
  impl_->streams->rebase(account, balances, {impl_->book.event_time_us, 0});
  impl_->book.note_drift();
}

const DecidedExchange* DecisionCore::decided(const std::string& exchange_id) const {
  const auto at = impl_->book.decided.find(exchange_id);
  return at == impl_->book.decided.end() ? nullptr : &at->second;
}

std::optional<LedgerState> DecisionCore::ledger() const {
  if (!impl_->streams) return std::nullopt;
  return impl_->streams->ledger().state();
}

CoreChanges DecisionCore::take_changes() {
  return impl_->book.take_changes();
}

void DecisionCore::reject(const LogRecord& record, const std::string& reason) {
  ++impl_->book.changes.records;
  impl_->book.reject(record, reason);
}
void DecisionCore::note_lost_records() {
  if (impl_->streams) return impl_->streams->note_lost({impl_->book.event_time_us, 0});
  for (auto& [name, account] : impl_->book.accounts) {
    note_lost(account, impl_->book.exchange_time_us);
    impl_->book.changes.accounts.insert(name);
  }
}

std::int64_t DecisionCore::event_time_us() const {
  return impl_->book.event_time_us;
}
std::int64_t DecisionCore::exchange_time_us() const {
  return impl_->book.exchange_time_us;
}
const std::map<std::string, Heartbeat>& DecisionCore::heartbeats() const {
  return impl_->heartbeats;
}
const AccountState& DecisionCore::account(const std::string& name) const {
  return impl_->book.accounts.at(name);
}
const AccountState* DecisionCore::find_account(const std::string& name) const {
  const auto at = impl_->book.accounts.find(name);
  return at == impl_->book.accounts.end() ? nullptr : &at->second;
}
bool DecisionCore::waits_on(const std::string& account) const {
  return impl_->waiting_on.contains(account);
}
std::vector<std::string> DecisionCore::unknown_accounts(std::size_t most) const {
  std::vector<std::string> names;
  for (const auto& [name, account] : impl_->book.accounts) {
    if (names.size() >= most) break;
    if (is_unknown(account) && name != kUnknownKey) names.push_back(name);
  }
  return names;
}
bool DecisionCore::is_unknown(const AccountState& account) const {
  return impl_->streams ? !impl_->streams->ledger().trusted(account) : account.lost;
}
bool DecisionCore::reads_streams() const {
  return impl_->streams != nullptr;
}
std::int64_t DecisionCore::settled_until_us() const {
  const std::int64_t told = impl_->streams ? impl_->streams->told_until_us() : INT64_MAX;
  return std::min(impl_->times.settled_until_us, told);
}
const WindowState& DecisionCore::window(const std::string& slice) const {
  return impl_->book.windows.at(slice).state();
}

const OpenExchange* DecisionCore::open(const std::string& exchange_id) const {
  const auto at = impl_->book.open_exchanges.find(exchange_id);
  return at == impl_->book.open_exchanges.end() ? nullptr : &at->second;
}

std::int64_t DecisionCore::seen_since_us() const {
  const auto& order = impl_->book.seen_order;
  return order.empty() ? 0 : order.front().first;
}

const DriftEntry* DecisionCore::drift(const std::string& account) const {
  const auto at = impl_->book.drift.find(account);
  return at == impl_->book.drift.end() ? nullptr : &at->second;
}

const std::map<std::string, bool>& DecisionCore::wanted_readings() const {
  return impl_->wanted;
}

const std::map<RouteName, RouteNoise>& DecisionCore::noise() const {
  return impl_->noise.routes();
}

std::vector<ScoreEvent> DecisionCore::scores() const {
  std::vector<ScoreEvent> scores;
  for (const auto& [slice, window] : impl_->book.windows) {
    ScoreEvent score = window.score();
    score.slice = slice;
    score.event_time_us = event_time_us();
    score.oldest_pending_us = oldest_open_us();
    for (const auto& [of, sum] : impl_->book.drift_sums) {
      if (of.first == slice) score.drift_minor_units[of.second] = sum;
    }
    scores.push_back(std::move(score));
  }
  return scores;
}

const std::map<CounterKey, std::int64_t>& DecisionCore::counters() const {
  return impl_->book.counters;
}
const std::map<std::string, std::uint64_t>& DecisionCore::rejected() const {
  return impl_->book.rejected;
}
std::size_t DecisionCore::open_count() const {
  return impl_->book.open_exchanges.size();
}
std::int64_t DecisionCore::oldest_open_us() const {
  return impl_->book.open_by_age.empty() ? 0 : impl_->book.open_by_age.begin()->first;
}

}  // namespace phoenix::arbiter
