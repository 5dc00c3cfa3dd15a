#include "tests/unit/arbiter/state_world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/model/decimal.hpp"
#include "tests/support/exchange_builder.hpp"

namespace phoenix::test {
namespace {

constexpr std::int64_t kStartUs = 1'700'000'000'000'000;
constexpr std::int64_t kMarkerUs = 2'000;
constexpr std::int64_t kBeatUs = 5'000;

std::string name(int account) {
  return std::to_string(account);
}

}  // namespace

StateWorld::StateWorld(WorldSettings settings) : settings_(settings), random_(settings.seed) {
  for (const int side : {0, 1}) {
    for (int account = 0; account < settings.accounts; ++account) balances[{side, account}] = 1'000'000;
  }
}

std::int64_t StateWorld::latest_read_us() const {
  std::int64_t latest = 0;
  for (const auto& [account, until_us] : read_until_) latest = std::max(latest, until_us);
  return latest;
}

std::int64_t StateWorld::between(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high - low + 1));
}

void StateWorld::run() {
  plan();
  apply();
  note_order();
  merge();
}

void StateWorld::plan() {
  std::int64_t now = kStartUs;
  for (int i = 0; i < settings_.exchanges; ++i) {
    now += between(50, 900);
    PlannedExchange exchange;
    exchange.received_us = now;
    exchange.id = make_exchange_id(static_cast<std::uint64_t>(now / 1'000), random_(), random_()).to_string();
    exchange.accounts = {static_cast<int>(between(0, settings_.accounts - 1))};
    auto& busy = busy_until_[exchange.accounts[0]];
    exchange.write = !(busy < now && chance(60));
    if (exchange.write && chance(40)) {
      const int to = static_cast<int>(between(0, settings_.accounts - 1));
      if (to != exchange.accounts[0]) exchange.accounts.push_back(to);
    }
    for (const int account : exchange.accounts) {  // the gateway leaves out reads that overlap a write
      if (exchange.write) now = std::max(now, read_until_[account] + 1);
    }
    exchange.received_us = now;
    exchange.amount = between(100, 90'000) * 2 + 1;
    if (chance(settings_.fault_percent)) {
      exchange.fault = exchange.write ? static_cast<Fault>(between(1, 8)) : Fault::wrong_read;
    }
    plan_commits(i, exchange);
    if (settings_.foreign && chance(2)) {
      now = std::max(now, latest_read_us() + 1);
      const Commit job{now + between(0, 500),   Side::legacy, -1, static_cast<int>(between(0, settings_.accounts - 1)),
                       between(1, 500) * 1'000, false};
      commits_.push_back(job);
      if (chance(70))
        commits_.push_back({job.at_us + between(0, 20'000), Side::modern, -1, job.account, job.delta, false});
      busy_until_[job.account] = std::max(busy_until_[job.account], now + 21'000);
    }
    exchanges.push_back(std::move(exchange));
  }
  end_us = now + 300'000;
}

void StateWorld::plan_commits(int number, PlannedExchange& exchange) {
  const Fault fault = exchange.fault;
  std::int64_t sent = exchange.received_us;
  std::int64_t over = sent;
  for (const Side side : {Side::legacy, Side::modern}) {
    const bool modern = side == Side::modern;
    std::int64_t commit = sent + between(20, chance(10) ? 6'000 : 1'500);
    const std::int64_t answer = commit + between(10, 800);
    exchange.answered_us[index(side)] = answer;
    const bool posts = exchange.write && fault != (modern ? Fault::missing_modern : Fault::missing_legacy) &&
                       !(modern && (fault == Fault::timeout_lost || fault == Fault::dropped));
    if (modern && fault == Fault::timeout_committed && chance(50)) commit = answer + between(0, 30'000);
    const std::int64_t delta = exchange.amount + (modern && fault == Fault::wrong_amount ? 6 : 0);
    if (posts || !exchange.write) commits_.push_back({commit, side, number, 0, delta, false});
    over = std::max({over, answer, commit});
    if (modern && fault == Fault::posted_twice) {
      commits_.push_back({commit + between(10, chance(50) ? 400 : 40'000), side, number, 0, delta, true});
      over = std::max(over, commits_.back().at_us);
    }
    sent = answer + between(0, 200);
  }
  exchange.appended_us = exchange.answered_us[1] + between(0, chance(5) ? 30'000 : 2'000);
  for (const int account : exchange.accounts) {
    auto& until = exchange.write ? busy_until_ : read_until_;
    until[account] = std::max(until[account], over + 1);
  }
}

/// Commits in the order of time, with markers between them.
void StateWorld::apply() {
  std::stable_sort(commits_.begin(), commits_.end(), [](const auto& a, const auto& b) { return a.at_us < b.at_us; });
  std::vector<std::pair<std::int64_t, int>> appended;
  for (std::size_t i = 0; i < exchanges.size(); ++i) {
    if (exchanges[i].fault == Fault::no_event) continue;
    appended.emplace_back(exchanges[i].appended_us, static_cast<int>(i));
    if (settings_.resends && chance(4))
      appended.emplace_back(exchanges[i].appended_us + between(0, 20'000), static_cast<int>(i));
  }
  std::sort(appended.begin(), appended.end());
  std::size_t commit = 0;
  std::size_t event = 0;
  std::int64_t beat = kStartUs;
  for (std::int64_t now = kStartUs; now < end_us; now += kMarkerUs) {
    for (; commit < commits_.size() && commits_[commit].at_us < now; ++commit) apply(commits_[commit]);
    for (; event < appended.size() && appended[event].first < now; ++event) {
      events_.emplace_back(event_of(exchanges[static_cast<std::size_t>(appended[event].second)]));
    }
    if (now >= beat + kBeatUs) {
      beat = now;
      std::int64_t settled = now;
      for (const auto& exchange : exchanges) {
        if (exchange.fault != Fault::no_event && exchange.appended_us >= now)
          settled = std::min(settled, exchange.received_us);
      }
      events_.emplace_back(settled);
    }
    for (const Side side : {Side::legacy, Side::modern}) {
      streams_[index(side)].emplace_back(now, arbiter::StateMarker{side, static_cast<std::int64_t>(event), {}, {}});
    }
  }
  events = static_cast<std::int64_t>(event);
}

void StateWorld::apply(const Commit& commit) {
  const int side = index(commit.side);
  const bool foreign = commit.exchange < 0;
  std::vector<std::pair<int, std::int64_t>> rows{{commit.account, commit.delta}};
  if (!foreign) {
    auto& exchange = exchanges[static_cast<std::size_t>(commit.exchange)];
    auto& balance = balances[{side, exchange.accounts[0]}];
    if (!exchange.write) {
      exchange.stated[static_cast<std::size_t>(side)] =
          balance + (side == 1 && exchange.fault == Fault::wrong_read ? 777'000'003 : 0);
      return;
    }
    const std::int64_t fee = chance(20) ? 3 : 0;  // a second change of the same row
    rows = {{exchange.accounts[0], -commit.delta + fee}};
    if (fee != 0) rows.emplace_back(exchange.accounts[0], -fee);
    for (std::size_t i = 1; i < exchange.accounts.size(); ++i) rows.emplace_back(exchange.accounts[i], commit.delta);
    if (!commit.again) exchange.stated[static_cast<std::size_t>(side)] = balance - commit.delta;
    for (const int account : exchange.accounts) {
      if (!commit.again) applied_[{side, account}].push_back(commit.exchange);
    }
  }
  const std::uint64_t position = ++positions_[static_cast<std::size_t>(side)];
  std::uint64_t row_number = 0;
  for (const auto& [account, delta] : rows) {
    auto& balance = balances[{side, account}];
    arbiter::StateChange change;
    change.side = commit.side;
    change.account = name(account);
    change.before = Decimal::from_minor(balance, 2);
    balance += delta;
    change.after = Decimal::from_minor(balance, 2);
    change.currency = "EUR";
    if (!foreign) change.exchange_id = exchanges[static_cast<std::size_t>(commit.exchange)].id;
    change.transaction = std::to_string(position);
    change.position = {position, ++row_number};
    streams_[static_cast<std::size_t>(side)].emplace_back(commit.at_us, change);
    if (foreign) applied_[{2, account}].push_back(0);
  }
}

void StateWorld::note_order() {
  for (std::size_t i = 0; i < exchanges.size(); ++i) {
    auto& exchange = exchanges[i];
    std::array<std::set<int>, 2> before;
    for (const int side : {0, 1}) {
      for (const int other : applied_[{side, exchange.accounts[0]}]) {
        if (other == static_cast<int>(i)) break;
        before[static_cast<std::size_t>(side)].insert(other);
      }
    }
    exchange.reordered = before[0] != before[1];
    for (const int account : exchange.accounts) exchange.near_foreign |= !applied_[{2, account}].empty();
  }
}

ExchangeEvent StateWorld::event_of(const PlannedExchange& exchange) const {
  const auto body = [&](int side) {
    const auto stated = exchange.stated[static_cast<std::size_t>(side)];
    return fmt::format(R"({{"fee":0.10,"balance":{}}})", format_minor(stated, 2));
  };
  // An answer to a posting that was never made states what would have been.
  ExchangeEvent event = test::exchange(1, body(0), body(1));
  event.exchange_id = exchange.id;
  for (const int account : exchange.accounts) event.keys.push_back({name(account), 1});
  event.received_at_us = exchange.received_us;
  event.completed_at_us = std::max(exchange.answered_us[0], exchange.answered_us[1]);
  event.write = exchange.write;
  if (!exchange.write) event.method = "GET";
  if (exchange.fault == Fault::timeout_lost || exchange.fault == Fault::timeout_committed) {
    event.shadow = {};
    event.shadow.outcome = LegOutcome::timeout;
    event.shadow.uncertain = true;
  }
  if (exchange.fault == Fault::dropped) {
    event.shadow = {};
    event.shadow.outcome = LegOutcome::dropped;
    event.dropped = "queue_full";
  }
  return event;
}

/// Records come again after a restart of what captures them; neighbours may change places, but not across a marker.
void StateWorld::disturb(std::vector<WorldRecord>& stream) {
  const auto change_at = [&](std::size_t i) {
    return std::get_if<arbiter::StateChange>(&std::get<arbiter::StateRecord>(stream[i]));
  };
  for (std::size_t i = 1; i + 2 < stream.size(); ++i) {
    const auto* first = change_at(i);
    const auto* second = change_at(i + 1);
    if (first == nullptr || second == nullptr || first->position.second != 1 || second->position.second != 1) continue;
    const auto* third = change_at(i + 2);
    if (third != nullptr && third->position.second != 1) continue;  // whole transactions only
    if (chance(10)) std::swap(stream[i], stream[i + 1]);
  }
  std::vector<WorldRecord> again;
  for (std::size_t i = 0; i < stream.size(); ++i) {
    again.push_back(stream[i]);
    if (!chance(2)) continue;
    for (std::size_t j = i - std::min<std::size_t>(i, 12); j <= i; ++j) {
      if (change_at(j) != nullptr) again.push_back(stream[j]);
    }
  }
  stream = std::move(again);
}

void StateWorld::merge() {
  std::array<std::vector<WorldRecord>, 3> queues;
  queues[2] = std::move(events_);
  for (const std::size_t side : {0, 1}) {
    std::stable_sort(streams_[side].begin(), streams_[side].end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [at, record] : streams_[side]) queues[side].emplace_back(std::move(record));
    if (settings_.resends) disturb(queues[side]);
  }
  std::array<std::size_t, 3> next{};
  while (next[0] < queues[0].size() || next[1] < queues[1].size() || next[2] < queues[2].size()) {
    const auto queue = static_cast<std::size_t>(between(0, 2));
    for (std::int64_t burst = between(1, chance(5) ? 200 : 6); burst > 0 && next[queue] < queues[queue].size();
         --burst) {
      WorldRecord& record = queues[queue][next[queue]++];
      const bool event = std::holds_alternative<ExchangeEvent>(record);
      log.emplace_back(event, std::move(record));
    }
  }
}

}  // namespace phoenix::test
