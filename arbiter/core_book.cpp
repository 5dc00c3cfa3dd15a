#include "arbiter/core_book.hpp"

#include <algorithm>
#include <cstdlib>

namespace phoenix::arbiter {
namespace {

constexpr std::int64_t kMaxAheadOfLogUs = 60'000'000;
constexpr std::size_t kMaxRejectedBytes = 64 << 10;

bool is_safe(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

/// Which classes of exchanges a slice is configured to compare. A route without methods shows by its traffic.
std::pair<bool, bool> classes_of(const config::Config& config, const std::string& slice) {
  std::pair<bool, bool> reads_writes{false, false};
  for (const auto& route : config.gateway.routes) {
    if (route.slice != slice || route.shadow == config::ShadowMode::off) continue;
    for (const auto& method : route.methods) {
      if (is_safe(method)) reads_writes.first = true;
      if (!is_safe(method) && route.shadow == config::ShadowMode::dual) reads_writes.second = true;
    }
  }
  return reads_writes;
}

ScoreParameters parameters_of(const config::Config& config) {
  const auto& ramp = config.orchestrator.ramp;
  return {ramp.p0, ramp.alpha, ramp.average_run_length, ramp.trip_on_first_balance_mismatch};
}

/// One unit of evidence is one account on one route: repeating a request proves nothing new. Without a key, distinct
/// requests are told apart.
std::string unit_of(const ExchangeEvent& exchange) {
  if (!exchange.keys.empty()) return exchange.route + " " + exchange.keys.front().key;
  return fmt::format("{} {}#{:016x}", exchange.route, exchange.target.substr(0, 256), exchange.request_body_hash);
}

bool was_sent(const LegRecord& leg) {
  return leg.outcome != LegOutcome::none && leg.outcome != LegOutcome::connect_failed &&
         leg.outcome != LegOutcome::dropped;
}

/// Refused writes count: whether a write is refused may depend on the order, too.
bool may_have_written(const ExchangeEvent& exchange) {
  return exchange.write &&
         (was_sent(exchange.serving) || was_sent(exchange.shadow) || exchange.dropped == kLostWithGateway);
}

std::string cause_counter(Cause cause) {
  return std::string(kCauseCounter) += to_string(cause);
}

}  // namespace

CoreBook::CoreBook(const config::Config& config, CoreState& state)
    : event_time_us(state.event_time_us),
      exchange_time_us(state.exchange_time_us),
      open_exchanges(std::move(state.open)),
      counters(std::move(state.counters)),
      rejected(std::move(state.rejected)),
      causes(config, std::move(state.causes)),
      config_(config) {
  for (auto& [name, account] : state.accounts) {
    accounts.emplace(name, std::move(account));
    update_drift(name);
  }
  for (const auto& slice : config.slices) window(slice.name);
  for (const auto& [slice, window_state] : state.windows) window(slice).restore(window_state);
  for (auto& [slice, unit] : state.units) window(slice).restore_unit(std::move(unit));
  for (const auto& [at_us, id] : state.seen) {
    const IdHash hash = IdHash::of(id);
    if (seen.insert(hash, {})) seen_order.emplace_back(at_us, hash);
  }
  for (auto& [id, exchange] : state.decided) decided.insert_or_assign(id, std::move(exchange));
  for (const auto& [id, exchange] : open_exchanges) open_by_age.emplace(exchange.since_us, id);
  changes = {};
}

void CoreBook::advance(std::int64_t time_us, const LogRecord& record, bool exchange) {
  if (record.timestamp_ms > 0) time_us = std::min(time_us, record.timestamp_ms * 1'000 + kMaxAheadOfLogUs);
  event_time_us = std::max(event_time_us, time_us);
  if (exchange) exchange_time_us = std::max(exchange_time_us, time_us);
}

bool CoreBook::remember(const std::string& exchange_id) {
  const IdHash hash = IdHash::of(exchange_id);
  if (!seen.insert(hash, {})) return false;
  seen_order.emplace_back(event_time_us, hash);
  changes.seen.emplace_back(event_time_us, exchange_id);
  forget_old_ids();
  return true;
}

void CoreBook::forget_old_ids() {
  while (!seen_order.empty() && (seen_order.size() > DecisionCore::kRememberIds ||
                                 seen_order.front().first < event_time_us - DecisionCore::kRememberIdsUs)) {
    seen.erase(seen_order.front().second);
    decided.erase(seen_order.front().second);
    seen_order.pop_front();
  }
}

void CoreBook::receive(const ExchangeEvent& exchange) {
  count(exchange.slice, exchange.route, exchange.rung, "received");
  if (!exchange.excluded.empty()) count(exchange.slice, exchange.route, exchange.rung, "excluded");
  if (!exchange.dropped.empty()) count(exchange.slice, exchange.route, exchange.rung, "dropped");
  auto& evidence = window(exchange.slice);
  if (evidence.enter(exchange.rung)) evidence.received(!exchange.excluded.empty());
  changes.slices.insert(exchange.slice);
}

void CoreBook::note_writers(const ExchangeEvent& exchange) {
  if (!may_have_written(exchange)) return;
  // A clock that is ahead must not stretch a write into the future.
  const std::int64_t over_us = std::min(exchange.completed_at_us, event_time_us);
  const KeyWriter write{exchange.slice, exchange.gateway, exchange.exchange_id,
                        std::min(exchange.received_at_us, over_us), over_us};
  for (const auto& key : exchange.keys) {
    if (const auto other = note_write(touch(key.key).writers, write)) note_split(key.key, *other, write);
  }
}

void CoreBook::note_split(const std::string& key, const KeyWriter& first, const KeyWriter& second) {
  auto& evidence = window(second.slice);
  if (!evidence.split(key)) return;
  const std::uint64_t rung = evidence.state().rung;
  count(second.slice, "", rung, "split_key");
  changes.units.emplace_back(second.slice, rung, ScoreWindow::split_unit(key));
  changes.slices.insert(second.slice);
  changes.split_keys.push_back({second.slice,
                                key,
                                {first.gateway, second.gateway},
                                {first.exchange_id, second.exchange_id},
                                std::max(first.last_us, second.last_us),
                                rung});
}

void CoreBook::reject(const LogRecord& record, const std::string& reason) {
  ++rejected[record.topic];
  changes.rejected.push_back(
      {record.topic, record.partition, record.offset, reason, record.value.substr(0, kMaxRejectedBytes)});
}

AccountState& CoreBook::touch(const std::string& account) {
  if (last_touched_ != nullptr && touched.back() == account) return *last_touched_;  // a record is about one or two
  touched.push_back(account);
  changes.accounts.insert(account);
  last_touched_ = &accounts[account];
  return *last_touched_;
}

void CoreBook::open(const std::string& exchange_id, OpenExchange exchange) {
  open_by_age.emplace(exchange.since_us, exchange_id);
  const bool fresh = open_exchanges.insert_or_assign(exchange_id, std::move(exchange)).second;
  if (changes.open.insert(exchange_id).second && fresh) changes.opened.insert(exchange_id);
}

OpenExchange CoreBook::close(const std::string& exchange_id) {
  auto node = open_exchanges.extract(exchange_id);
  open_by_age.erase({node.mapped().since_us, exchange_id});
  if (changes.opened.erase(exchange_id) != 0) {
    changes.open.erase(exchange_id);  // nothing was stored of it
  } else {
    changes.open.insert(exchange_id);
  }
  return std::move(node.mapped());
}

CoreBook::Counted CoreBook::count_decision(const ExchangeEvent& exchange, Verdict verdict, const std::string& detail,
                                           const Compared& compared) {
  count(exchange.slice, exchange.route, exchange.rung, std::string(to_string(verdict)));
  auto& evidence = window(exchange.slice);
  Counted counted{evidence.enter(exchange.rung), false};
  if (counted.current) {
    const bool served = exchange.serving.status >= 200 && exchange.serving.status < 300;
    const std::string unit = unit_of(exchange);
    if (evidence.decided({verdict, exchange.write, served, unit, exchange.exchange_id})) {
      changes.units.emplace_back(exchange.slice, exchange.rung, unit);
      counted.first = true;
    }
    changes.slices.insert(exchange.slice);
  }
  const auto cause = causes.decided(exchange, verdict, compared.differences, compared.facts);
  if (verdict == Verdict::match) return counted;
  VerdictEvent event;
  event.exchange_id = exchange.exchange_id;
  event.account = exchange.keys.empty() ? "" : exchange.keys.front().key;
  event.slice = exchange.slice;
  event.route = exchange.route;
  event.verdict = verdict;
  event.detail = detail;
  event.event_time_us = exchange.completed_at_us;
  event.rung = exchange.rung;
  if (cause) {
    event.cause_detail = cause->detail();
    note_cause(event, cause->cause);
  }
  changes.verdicts.push_back({exchange.exchange_id, std::move(event)});
  if (counted.current && evidence.keep_evidence())
    changes.evidence.push_back({exchange, compared.legacy, compared.modern, compared.differences, compared.postings});
  return counted;
}

void CoreBook::decide_account(const std::string& account, const Finding& finding) {
  AccountState& state = touch(account);
  const std::uint64_t rung = window(state.slice).state().rung;
  if (state.sealed && state.sealed->verdict_id == finding.verdict_id) state.sealed->rung = rung;
  count(state.slice, "", rung, std::string(to_string(finding.verdict)));
  VerdictEvent event;
  event.account = account;
  event.slice = state.slice;
  event.verdict = finding.verdict;
  event.detail = finding.detail;
  event.event_time_us = finding.event_time_us;
  event.rung = rung;
  if (const auto cause = cause_of(finding.verdict)) note_cause(event, *cause);
  changes.verdicts.push_back({finding.verdict_id, std::move(event)});
}

void CoreBook::count_undetected(const std::string& slice) {
  count(slice, "", window(slice).state().rung, "sweep_undetected");
}

void CoreBook::revise(const std::string& exchange_id, const DecidedExchange& was, Verdict before, Verdict now,
                      const std::string& detail, const std::vector<AccountPosting>& postings) {
  for (const auto& posting : postings) {
    auto& late = changes.late_postings[exchange_id];
    if (posting.on_both()) std::erase_if(late, [&](const auto& other) { return other.account == posting.account; });
    late.push_back(posting);
  }
  count(was.slice, was.route, was.rung, std::string(to_string(before)), -1);
  count(was.slice, was.route, was.rung, std::string(to_string(now)));
  auto& evidence = window(was.slice);
  if (was.current && evidence.state().rung == was.rung) {
    evidence.revise(before, {now, was.write, was.served, "", exchange_id}, was.first);
    changes.slices.insert(was.slice);
  }
  VerdictEvent event;
  event.exchange_id = exchange_id;
  event.account = was.account;
  event.slice = was.slice;
  event.route = was.route;
  event.verdict = now;
  event.detail = fmt::format("{} (was {})", detail, to_string(before));
  event.event_time_us = was.completed_at_us;
  event.rung = was.rung;
  // The exchange is gone: what the verdicts themselves say of the cause. What a mismatch was labelled stays counted.
  if (const auto cause = cause_of(before); cause && before != Verdict::mismatch)
    count(was.slice, was.route, was.rung, cause_counter(*cause), -1);
  if (const auto cause = cause_of(now)) note_cause(event, *cause);
  changes.verdicts.push_back({exchange_id, std::move(event)});
}

void CoreBook::note_unpaired(const std::string& account, Side side, std::int64_t delta) {
  const AccountState& state = accounts[account];
  auto& evidence = window(state.slice);
  count(state.slice, "", evidence.state().rung, "foreign_unpaired");
  evidence.foreign_unpaired(side, state.currency.empty() ? "XXX" : state.currency, state.minor(delta));
  changes.slices.insert(state.slice);
}

void CoreBook::mark_open(const std::string& exchange_id, std::uint64_t mark) {
  const auto at = open_exchanges.find(exchange_id);
  if (at == open_exchanges.end()) return;
  at->second.mark = mark;
  changes.open.insert(exchange_id);
}

void CoreBook::retract(const std::string& account, const std::string& verdict_id, std::uint64_t rung, Verdict verdict) {
  count(accounts[account].slice, "", rung, std::string(to_string(verdict)), -1);
  if (const auto cause = cause_of(verdict)) count(accounts[account].slice, "", rung, cause_counter(*cause), -1);
  changes.retracted.push_back(verdict_id);
}

void CoreBook::note_cause(VerdictEvent& event, Cause cause) {
  event.cause = to_string(cause);
  count(event.slice, event.route, event.rung, cause_counter(cause));
}

void CoreBook::confirm(const std::string& slice, int count, const std::string& detail) {
  if (count == 0) return;
  window(slice).confirm_balance_mismatch(count, detail);
  changes.slices.insert(slice);
}

void CoreBook::count(const std::string& slice, const std::string& route, std::uint64_t rung, std::string what, int by) {
  const CounterKey key{slice, route, rung, std::move(what)};
  counters[key] += by;
  changes.counters[key] += by;
}

void CoreBook::begin_changes() {
  changes = {};
  touched.clear();
  last_touched_ = nullptr;
}

CoreChanges CoreBook::take_changes() {
  changes.causes = causes.take_changes();
  CoreChanges taken = std::exchange(changes, {});
  // The next batch is about as large: its tables need not grow step by step.
  changes.accounts.reserve(taken.accounts.size());
  changes.open.reserve(taken.open.size());
  changes.opened.reserve(taken.opened.size());
  return taken;
}

void CoreBook::note_drift() {
  for (const auto& name : touched) update_drift(name);
  touched.clear();
  last_touched_ = nullptr;
}

void CoreBook::update_drift(const std::string& name) {
  const AccountState& account = accounts.at(name);
  // A currency that was seen has a sum, also where nothing is missing: no sum means "not known".
  if (!account.currency.empty() && (account.slice != summed_.first || account.currency != summed_.second)) {
    summed_ = {account.slice, account.currency};
    drift_sums.try_emplace(summed_, 0);
  }
  const bool apart = account.gap != account.postings.carry;
  if (!apart && drift.empty()) return;
  const auto known = drift.find(name);
  if (known == drift.end() && !apart) return;
  if (known != drift.end()) {
    drift_sums[{known->second.slice, known->second.currency}] -= std::abs(known->second.gap_minor);
    changes.slices.insert(known->second.slice);
    if (!apart) {
      drift.erase(known);
      changes.undrifted.insert(name);
      return;
    }
  }
  // XXX is the ISO 4217 code for "no currency": the answers state none, only ledger readings do.
  DriftEntry entry{
      account.slice,        account.currency.empty() ? "XXX" : account.currency, account.gap_minor(), "", "",
      account.differs_since};
  if (account.balance[0]) entry.legacy_balance = account.format(*account.balance[0]);
  if (account.balance[1]) entry.modern_balance = account.format(*account.balance[1]);
  drift_sums[{entry.slice, entry.currency}] += std::abs(entry.gap_minor);
  changes.slices.insert(entry.slice);
  drift.insert_or_assign(name, std::move(entry));
}

ScoreWindow& CoreBook::window(const std::string& slice) {
  if (const auto at = windows.find(slice); at != windows.end()) return at->second;
  const auto [reads, writes] = classes_of(config_, slice);
  return windows.emplace(slice, ScoreWindow(parameters_of(config_), reads, writes)).first->second;
}

}  // namespace phoenix::arbiter
