#include "arbiter/decision_core.hpp"

#include <deque>

#include "arbiter/alignment.hpp"
#include "arbiter/clean_text.hpp"
#include "arbiter/core_book.hpp"
#include "arbiter/exchange_order.hpp"
#include "arbiter/response_differ.hpp"
#include "core/model/business_key.hpp"

namespace phoenix::arbiter {
namespace {

using Outcome = ResponseDifference::Outcome;

constexpr int kSettlesUntilUnknown = 6;  // how long a suspect waits for readings, in units of `settle`

struct RouteRules {
  CompareRules compare;
  std::string balance_path;
  bool ordered = true;
};

bool is_success(int status) { return status >= 200 && status < 300; }

std::string incarnation_of(const ExchangeEvent& exchange) { return exchange.gateway + "/" + exchange.incarnation; }

/// Names become rows and labels: they must be text that Postgres can hold.
void clean_names(ExchangeEvent& exchange) {
  for (auto* name : {&exchange.exchange_id, &exchange.gateway, &exchange.incarnation, &exchange.route, &exchange.slice}) {
    *name = clean_text(*name);
  }
  for (auto& key : exchange.keys) key.key = clean_text(key.key);
}

std::string leg_problem(const ExchangeEvent& exchange) {
  if (!exchange.dropped.empty()) return "shadow leg dropped: " + exchange.dropped;
  const bool serving = exchange.serving.outcome != LegOutcome::ok;
  const auto outcome = serving ? exchange.serving.outcome : exchange.shadow.outcome;
  const Side side = serving ? exchange.serving_side : other(exchange.serving_side);
  return fmt::format("{} leg on {}: {}", serving ? "serving" : "shadow", to_string(side), to_string(outcome));
}

}  // namespace

struct DecisionCore::Impl {
  Impl(const config::Config& config, CoreState state) : settings(config), book(settings, state) {
    times.settle_us = std::chrono::duration_cast<std::chrono::microseconds>(config.arbiter.settle).count();
    ledgers = !config.arbiter.legacy_db.url.empty() && !config.arbiter.modern_db.url.empty();
    for (const auto& route : config.gateway.routes) {
      RouteRules rules{CompareRules::from_config(route.compare), route.compare.balance,
                       route.ordering != config::Ordering::none};
      if (rules.compare.balance) {
        compares_balances = true;
        if (!rules.compare.balance->empty()) running_balances[route.slice].push_back(rules.compare.balance->back());
      }
      routes.emplace(route.name, std::move(rules));
    }
    for (const auto& [id, open] : book.open_exchanges) resume(id, open);
    for (auto& [name, account] : book.accounts) {
      if (account.suspicion) account_deadlines.emplace(account.suspicion->read_at_us + times.hold_us, name);
      note_wanted(name);
    }
  }

  void apply(const LogRecord& record) {
    ++book.changes.records;
    if (record.topic == topics::kShadowRequests) {
      take_exchange(record);
    } else {
      take_balance_reading(record);
    }
    pass_time();
    for (const auto& name : book.touched) note_wanted(name);
    book.note_drift();
  }

  // ---- exchanges, in the order of their keys ----

  void take_exchange(const LogRecord& record) {
    auto decoded = decode_exchange_event(record.value);
    if (!decoded) return book.reject(record, decoded.error().message);
    ExchangeEvent& exchange = *decoded;
    if (exchange.exchange_id.empty()) return book.reject(record, "exchange event: exchange_id is empty");
    clean_names(exchange);
    book.advance(exchange.completed_at_us, record, true);
    if (!book.remember(exchange.exchange_id)) return;  // delivered twice
    book.receive(exchange);
    if (must_wait(exchange)) return hold(exchange, record.value);
    judge_and_release(exchange, record.value);
    while (order.full()) release(order.oldest());
  }

  bool must_wait(const ExchangeEvent& exchange) {
    if (!compares_balances && !ledgers) return false;  // nothing is carried from one exchange to the next
    for (const auto& key : exchange.keys) {
      if (key.sequence > book.accounts[key.key].expected_sequence(incarnation_of(exchange))) return true;
    }
    return false;
  }

  void hold(const ExchangeEvent& exchange, const std::string& frame) {
    OpenExchange open{true, false, book.event_time_us, frame};
    index_waiting(exchange, open.since_us);
    book.open(exchange.exchange_id, std::move(open));
    for (const auto& key : exchange.keys) book.touch(key.key).slice = exchange.slice;
  }

  void index_waiting(const ExchangeEvent& exchange, std::int64_t since_us) {
    order.hold(exchange.exchange_id, incarnation_of(exchange), exchange.keys, exchange.completed_at_us);
    for (const auto& key : exchange.keys) ++waiting_on[key.key];
    deadlines.emplace(since_us + times.settle_us, exchange.exchange_id);
  }

  /// Judges an exchange, then those that waited for it.
  void judge_and_release(ExchangeEvent first, const std::string& first_frame) {
    std::deque<ExchangeEvent> ready;
    judge(first, first_frame);
    ready.push_back(std::move(first));
    for (; !ready.empty(); ready.pop_front()) {
      const std::string incarnation = incarnation_of(ready.front());
      for (const auto& key : ready.front().keys) {
        const auto expected = book.accounts[key.key].expected_sequence(incarnation);
        const std::string id = order.waiting_at(key.key, incarnation, expected);
        if (id.empty()) continue;
        auto [next, frame] = reload(id);
        if (must_wait(next)) continue;
        unhold(next);
        judge(next, frame);
        ready.push_back(std::move(next));
      }
    }
  }

  std::pair<ExchangeEvent, std::string> reload(const std::string& id) {
    const OpenExchange& open = book.open_exchanges.at(id);
    ExchangeEvent exchange = decode_exchange_event(open.frame).value();
    clean_names(exchange);
    return {std::move(exchange), open.frame};
  }

  void unhold(const ExchangeEvent& exchange) {
    order.remove(exchange.exchange_id);
    book.close(exchange.exchange_id);
    for (const auto& key : exchange.keys) {
      if (const auto at = waiting_on.find(key.key); at != waiting_on.end() && --at->second <= 0) waiting_on.erase(at);
      book.touch(key.key);
    }
  }

  /// Its predecessors do not come: an event of these keys is lost, so the next change of a gap proves nothing.
  void release(const std::string& waiting_id) {
    for (const auto& id : order.up_to(waiting_id)) {
      if (!book.open_exchanges.contains(id)) continue;  // released by one before it
      auto [exchange, frame] = reload(id);
      unhold(exchange);
      for (const auto& key : exchange.keys) {
        AccountState& account = book.touch(key.key);
        if (key.sequence > account.expected_sequence(incarnation_of(exchange))) note_lost(account, exchange.completed_at_us);
      }
      judge_and_release(std::move(exchange), frame);
    }
  }

  // ---- one exchange ----

  void judge(const ExchangeEvent& exchange, const std::string& frame) {
    const std::string incarnation = incarnation_of(exchange);
    bool late = false;
    for (const auto& key : exchange.keys) {
      AccountState& account = book.touch(key.key);
      account.slice = exchange.slice;
      account.last_completed_us = std::max(account.last_completed_us, exchange.completed_at_us);
      if (key.sequence == 0) continue;
      late = late || (&key == &exchange.keys.front() && key.sequence < account.expected_sequence(incarnation));
      account.advance_sequence(incarnation, key.sequence + 1);
    }
    const bool both = exchange.serving.outcome == LegOutcome::ok && exchange.shadow.outcome == LegOutcome::ok;
    if (!exchange.excluded.empty()) {
      if (exchange.write) both ? mark_dirty(exchange) : lose(exchange);
      return;
    }
    if (!both || !exchange.dropped.empty()) {
      if (exchange.write) lose(exchange);
      return book.decide(exchange, Verdict::unknown, leg_problem(exchange), {});
    }
    compare(exchange, frame, late);
  }

  void compare(const ExchangeEvent& exchange, const std::string& frame, bool late) {
    static const RouteRules kNoRules;
    const auto at = routes.find(exchange.route);
    const RouteRules& rules = at == routes.end() ? kNoRules : at->second;
    const auto& legacy = exchange.leg(Side::legacy);
    const auto& modern = exchange.leg(Side::modern);
    const auto result = compare_responses(legacy, modern, rules.compare, running_balances[exchange.slice]);

    const bool uncertain = exchange.write && (legacy.uncertain || modern.uncertain);
    Comparison seen{exchange, frame, rules, result, {}, {}};
    seen.observation.exchange_id = exchange.exchange_id;
    seen.observation.received_at_us = exchange.received_at_us;
    seen.observation.completed_at_us = exchange.completed_at_us;
    seen.observation.certain = rules.ordered && !exchange.overlap && !late;
    seen.observation.late = late;
    seen.observation.known_mismatch = result.outcome == Outcome::different;
    seen.observation.write = exchange.write && (is_success(legacy.status) || is_success(modern.status) || uncertain);
    if (result.legacy_balance) seen.balances.legacy = result.legacy_balance->to_string();
    if (result.modern_balance) seen.balances.modern = result.modern_balance->to_string();
    if (seen.observation.write) uncertain && result.outcome != Outcome::different ? lose(exchange) : mark_dirty(exchange);
    judge_balances(seen);
  }

  struct Comparison {
    const ExchangeEvent& exchange;
    const std::string& frame;
    const RouteRules& rules;
    const ResponseDifference& result;
    Observation observation;
    CoreBook::Balances balances;
  };

  void judge_balances(Comparison& seen) {
    const auto& keys = seen.exchange.keys;
    if (keys.empty()) {
      const bool unequal = seen.result.legacy_balance && !(*seen.result.legacy_balance == *seen.result.modern_balance);
      return conclude(seen, unequal ? BalanceVerdict::different : BalanceVerdict::equal, "0");
    }
    AccountState& account = book.touch(keys.front().key);
    bool too_large = false;
    if (seen.result.legacy_balance && seen.result.modern_balance) {
      seen.observation.difference = difference_of(account, seen);
      too_large = !seen.observation.difference;
    }
    const std::string gap_before = account.format(account.gap);
    const bool other_gap = seen.observation.difference && *seen.observation.difference != account.gap;
    Findings findings;
    BalanceVerdict balance = judge_exchange(account, seen.observation, findings);
    if (too_large && !(*seen.result.legacy_balance == *seen.result.modern_balance)) balance = BalanceVerdict::different;
    if (seen.observation.known_mismatch && other_gap && seen.observation.certain) balance = BalanceVerdict::different;
    settle(keys.front().key, findings);
    if (seen.observation.known_mismatch || balance == BalanceVerdict::different) {
      for (std::size_t i = 1; i < keys.size(); ++i) {
        Findings of_other;
        note_mismatch(book.touch(keys[i].key), seen.observation, of_other);
        settle(keys[i].key, of_other);
      }
    }
    conclude(seen, balance, gap_before);
  }

  std::optional<std::int64_t> difference_of(AccountState& account, const Comparison& seen) {
    const auto first = account.amount(*seen.result.legacy_balance);
    const auto modern = account.amount(*seen.result.modern_balance);
    if (!first || !modern) return std::nullopt;
    const auto legacy = account.amount(*seen.result.legacy_balance);  // again: the other may have grown the scale
    std::int64_t difference = 0;
    if (!legacy || __builtin_sub_overflow(*modern, *legacy, &difference)) return std::nullopt;
    if (seen.observation.certain) account.balance = {legacy, modern};
    return difference;
  }

  void conclude(const Comparison& seen, BalanceVerdict balance, const std::string& gap_before) {
    const auto& exchange = seen.exchange;
    std::string detail = seen.result.summary();
    if (balance == BalanceVerdict::different) {
      detail += fmt::format("{}{}: legacy {}, modern {} (known gap {})", detail.empty() ? "" : "; ", seen.rules.balance_path,
                            seen.balances.legacy, seen.balances.modern, gap_before);
    }
    if (seen.observation.known_mismatch) return conclude_known(seen, std::move(detail));
    if (seen.result.outcome == Outcome::undecided) return book.decide(exchange, Verdict::unknown, detail, seen.balances);
    switch (balance) {
      case BalanceVerdict::equal:
        return book.decide(exchange, Verdict::match, "", seen.balances);
      case BalanceVerdict::different:
        return book.decide(exchange, Verdict::mismatch, detail, seen.balances);
      case BalanceVerdict::unknown:
        return book.decide(exchange, Verdict::unknown,
                           seen.observation.late ? "balance: arrived after later exchanges of its account"
                                                 : "balance: the gap changed after a leg or an event was lost",
                           seen.balances);
      case BalanceVerdict::pending:
        deadlines.emplace(book.event_time_us + suspect_limit_us(), exchange.exchange_id);
        return book.open(exchange.exchange_id, {false, seen.observation.late, book.event_time_us, seen.frame});
    }
  }

  void conclude_known(const Comparison& seen, std::string detail) {
    const auto& exchange = seen.exchange;
    if (!exchange.write && !exchange.keys.empty()) {
      const AccountState& account = book.accounts[exchange.keys.front().key];
      if (seen.result.same_apart_from_order && (account.order_differed || !account.suspects.empty())) {
        return book.decide(exchange, Verdict::order_dependent, "same elements in another order: " + detail, seen.balances);
      }
      if (!account.differs_since.empty()) {
        detail += fmt::format(" (account already differs since {})", account.differs_since);
      }
    }
    book.decide(exchange, Verdict::mismatch, detail, seen.balances);
  }

  void lose(const ExchangeEvent& exchange) {
    for (const auto& key : exchange.keys) note_lost(book.touch(key.key), exchange.completed_at_us);
    mark_dirty(exchange);
  }

  void mark_dirty(const ExchangeEvent& exchange) {
    if (!ledgers) return;
    for (const auto& key : exchange.keys) {
      if (key.key != kUnknownKey) book.touch(key.key).dirty = true;
    }
  }

  // ---- readings and time ----

  void take_balance_reading(const LogRecord& record) {
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
    settle(reading->account, findings);
    if (account.suspicion) account_deadlines.emplace(account.suspicion->read_at_us + times.hold_us, reading->account);
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
        give_up(id);
      }
    }
    while (!account_deadlines.empty() && account_deadlines.begin()->first <= book.event_time_us) {
      const std::string name = account_deadlines.begin()->second;
      account_deadlines.erase(account_deadlines.begin());
      Findings findings;
      const auto again = arbiter::pass_time(book.touch(name), book.event_time_us, times, findings);
      settle(name, findings);
      if (again) account_deadlines.emplace(*again, name);
    }
  }

  void give_up(const std::string& id) {
    auto [exchange, frame] = reload(id);
    book.close(id);
    AccountState& account = book.touch(exchange.keys.front().key);
    std::erase_if(account.suspects, [&](const Suspect& s) { return s.exchange_id == id; });
    book.decide(exchange, Verdict::unknown, "balance: overlapped with another write and was never seen aligned", {});
  }

  void settle(const std::string& name, const Findings& findings) {
    if (!findings.retracted.empty()) book.retract(name, findings.retracted, findings.retracted_rung);
    for (const auto& finding : findings.settled) {
      if (finding.exchange_id.empty()) {
        book.decide_account(name, finding);
      } else if (book.open_exchanges.contains(finding.exchange_id)) {
        auto [exchange, frame] = reload(finding.exchange_id);
        book.close(finding.exchange_id);
        book.decide(exchange, finding.verdict, finding.detail, balances_of(exchange));
      }
    }
    book.confirm(book.accounts[name].slice, findings.confirmed, findings.confirmed_detail);
  }

  CoreBook::Balances balances_of(const ExchangeEvent& exchange) const {
    const auto at = routes.find(exchange.route);
    if (at == routes.end()) return {};
    const auto result = compare_responses(exchange.leg(Side::legacy), exchange.leg(Side::modern), at->second.compare);
    return {result.legacy_balance ? result.legacy_balance->to_string() : "",
            result.modern_balance ? result.modern_balance->to_string() : ""};
  }

  void resume(const std::string& id, const OpenExchange& open) {
    if (open.waiting) {
      index_waiting(reload(id).first, open.since_us);
    } else {
      deadlines.emplace(open.since_us + suspect_limit_us(), id);
    }
  }

  [[nodiscard]] std::int64_t suspect_limit_us() const {
    return ledgers ? times.settle_us * kSettlesUntilUnknown : times.settle_us;
  }

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
  CoreBook book;
  AlignmentTimes times;
  bool ledgers = false;
  bool compares_balances = false;
  std::map<std::string, RouteRules> routes;
  std::map<std::string, std::vector<std::string>> running_balances;  // by slice: names of the members that state a balance
  ExchangeOrder order;
  std::unordered_map<std::string, int> waiting_on;  // exchanges that wait for a predecessor, by key
  std::multimap<std::int64_t, std::string> deadlines;          // event time -> open exchange
  std::multimap<std::int64_t, std::string> account_deadlines;  // event time -> account with a held difference
  std::map<std::string, bool> wanted;
};

DecisionCore::DecisionCore(const config::Config& config, CoreState state)
    : impl_(std::make_unique<Impl>(config, std::move(state))) {
  impl_->book.changes = {};
  impl_->book.touched.clear();
}
DecisionCore::~DecisionCore() = default;

void DecisionCore::apply(const LogRecord& record) { impl_->apply(record); }
CoreChanges DecisionCore::take_changes() { return std::exchange(impl_->book.changes, {}); }

void DecisionCore::note_lost_records() {
  for (auto& [name, account] : impl_->book.accounts) {
    note_lost(account, impl_->book.exchange_time_us);
    impl_->book.changes.accounts.insert(name);
  }
}

std::int64_t DecisionCore::event_time_us() const { return impl_->book.event_time_us; }
std::int64_t DecisionCore::exchange_time_us() const { return impl_->book.exchange_time_us; }
const AccountState& DecisionCore::account(const std::string& name) const { return impl_->book.accounts.at(name); }
const WindowState& DecisionCore::window(const std::string& slice) const { return impl_->book.windows.at(slice).state(); }

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

const std::map<std::string, bool>& DecisionCore::wanted_readings() const { return impl_->wanted; }

std::vector<ScoreEvent> DecisionCore::scores() const {
  std::vector<ScoreEvent> scores;
  for (const auto& [slice, window] : impl_->book.windows) {
    ScoreEvent score = window.score();
    score.slice = slice;
    score.event_time_us = event_time_us();
    score.oldest_pending_us = oldest_open_us();
    for (const auto& [of, sum] : impl_->book.drift_sums) {
      if (of.first == slice && sum != 0) score.drift_minor_units[of.second] = sum;
    }
    scores.push_back(std::move(score));
  }
  return scores;
}

const std::map<CounterKey, std::int64_t>& DecisionCore::counters() const { return impl_->book.counters; }
const std::map<std::string, std::uint64_t>& DecisionCore::rejected() const { return impl_->book.rejected; }
std::size_t DecisionCore::open_count() const { return impl_->book.open_exchanges.size(); }
std::int64_t DecisionCore::oldest_open_us() const {
  return impl_->book.open_by_age.empty() ? 0 : impl_->book.open_by_age.begin()->first;
}

}  // namespace phoenix::arbiter
