#include "tests/simulation/arbiter/bank_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/model/decimal.hpp"
#include "tests/support/exchange_builder.hpp"

namespace phoenix::test {
namespace {

constexpr std::int64_t kStartUs = 1'700'000'000'000'000;
constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kRestartUs = 1'000'000;  // longer than any shadow leg waits here, so that none is cut short

std::string name(int account) {
  return "acc-" + std::to_string(account);
}

}  // namespace

BankWorld::BankWorld(BankSettings settings) : settings_(settings), random_(settings.seed) {}

std::int64_t BankWorld::between(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high - low + 1));
}

bool BankWorld::chance(double share) {
  return static_cast<double>(random_() % 1'000'000) < share * 1e6;
}

BankLog BankWorld::run() {
  plan();
  serve();
  shadow();
  BankLog log;
  log.distinct = requests_.size();
  log.split = split_keys();
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const ExchangeEvent event = event_of(i);
    if (requests_[i].wrong) log.wrong.insert(event.exchange_id);
    if (event.overlap) ++log.overlapping;
    const std::int64_t at =
        event.completed_at_us + (chance(settings_.late_events) ? between(0, 20'000) : between(0, 500));
    log.exchanges.emplace_back(at, encode(event));
    if (chance(settings_.repeated_events)) {
      ExchangeEvent again = event;
      if (settings_.restarts > 0) again.incarnation = fmt::format("run-{}", requests_[i].incarnation + 1);
      log.exchanges.emplace_back(at + between(0, 50'000), encode(again));
    }
    end_us_ = std::max(end_us_, at);
  }
  std::stable_sort(log.exchanges.begin(), log.exchanges.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return log;
}

void BankWorld::plan() {
  int writes = 0;
  for (int i = 0; i < settings_.exchanges; ++i) {
    Request request;
    request.number = i + 1;
    request.write = !chance(settings_.reads);
    request.keys.push_back(static_cast<int>(between(0, settings_.accounts - 1)));
    if (request.write && chance(0.5)) {
      const int target = static_cast<int>(between(0, settings_.accounts - 1));
      if (target != request.keys[0]) request.keys.push_back(target);
    }
    request.amount = between(100, 5'000);
    request.wrong = request.write && settings_.wrong_every > 0 && ++writes % settings_.wrong_every == 0;
    requests_.push_back(request);
  }
}

/// Clients take the next request when theirs is answered. Reads keep clear of writes of their key, as the gateway
/// leaves out those that do not; in strict mode so do writes.
void BankWorld::serve() {
  std::vector<std::int64_t> free_at(static_cast<std::size_t>(settings_.clients), kStartUs);
  std::vector<std::int64_t> quiet_at(static_cast<std::size_t>(settings_.accounts), kStartUs);
  legacy_.resize(requests_.size());
  overlap_.assign(requests_.size(), false);
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    auto client = std::min_element(free_at.begin(), free_at.end());
    Leg& leg = legacy_[i];
    if (settings_.restarts > 0) {
      requests_[i].incarnation = static_cast<int>(i) * (settings_.restarts + 1) / settings_.exchanges;
      if (i > 0 && requests_[i].incarnation != requests_[i - 1].incarnation) {
        const std::int64_t up_again = *std::max_element(free_at.begin(), free_at.end()) + kRestartUs;
        std::fill(free_at.begin(), free_at.end(), up_again);
      }
    }
    leg.sent_us = *client + between(50, 400);
    if (settings_.pause_us > 0) leg.sent_us += between(0, settings_.pause_us);
    if (settings_.strict || !requests_[i].write) {
      for (const int key : requests_[i].keys)
        leg.sent_us = std::max(leg.sent_us, quiet_at[static_cast<std::size_t>(key)] + 10);
    }
    leg.commit_us = leg.sent_us + between(200, 2'500);
    leg.done_us = leg.commit_us + between(50, 1'500);
    *client = leg.done_us;
    for (const int key : requests_[i].keys) {
      auto& quiet = quiet_at[static_cast<std::size_t>(key)];
      quiet = std::max(quiet, leg.done_us);
    }
  }
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    for (std::size_t j = 0; j < requests_.size(); ++j) {
      if (i == j || legacy_[i].done_us < legacy_[j].sent_us || legacy_[j].done_us < legacy_[i].sent_us) continue;
      const auto shares = [&](int key) {
        return std::count(requests_[j].keys.begin(), requests_[j].keys.end(), key) > 0;
      };
      if (requests_[j].write && std::any_of(requests_[i].keys.begin(), requests_[i].keys.end(), shares))
        overlap_[i] = true;
    }
  }
}

/// By the order of the serving answers: clients go to any gateway, and a handover comes at some moment.
void BankWorld::assign_gateways() {
  std::vector<std::size_t> order(requests_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return legacy_[a].done_us < legacy_[b].done_us; });
  for (std::size_t place = 0; place < order.size(); ++place) {
    Request& request = requests_[order[place]];
    const auto part = [&](int parts) {
      return static_cast<int>(place * static_cast<std::size_t>(parts) / order.size());
    };
    if (settings_.gateways == 1) continue;
    request.gateway =
        settings_.handover ? part(settings_.gateways) : static_cast<int>(between(0, settings_.gateways - 1));
  }
}

/// Every pair of writes, straight from the definition.
std::set<std::string> BankWorld::split_keys() const {
  std::set<std::string> split;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    for (std::size_t j = 0; j < requests_.size(); ++j) {
      if (!requests_[i].write || !requests_[j].write || requests_[i].gateway == requests_[j].gateway) continue;
      if (legacy_[j].sent_us > modern_[i].done_us + kMinuteUs || legacy_[i].sent_us > modern_[j].done_us + kMinuteUs)
        continue;
      for (const int key : requests_[i].keys) {
        if (std::count(requests_[j].keys.begin(), requests_[j].keys.end(), key) > 0) split.insert(name(key));
      }
    }
  }
  return split;
}

/// Shadow legs: in the order of the serving answers, one after the other on each key of each gateway.
void BankWorld::shadow() {
  assign_gateways();
  std::vector<std::size_t> order(requests_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return legacy_[a].done_us < legacy_[b].done_us; });
  std::map<std::pair<int, int>, std::int64_t> key_free;         // gateway, key
  std::map<std::tuple<int, int, int>, std::uint64_t> sequence;  // gateway, incarnation, key
  modern_.resize(requests_.size());
  sequences_.resize(requests_.size());
  for (const std::size_t i : order) {
    Leg& leg = modern_[i];
    leg.sent_us = legacy_[i].done_us;
    for (const int key : requests_[i].keys) {
      leg.sent_us = std::max(leg.sent_us, key_free[{requests_[i].gateway, key}]);
      sequences_[i].push_back(++sequence[{requests_[i].gateway, requests_[i].incarnation, key}]);
    }
    leg.commit_us = leg.sent_us + between(200, chance(0.02) ? 30'000 : 2'500);
    leg.done_us = leg.commit_us + between(50, 1'500);
    for (const int key : requests_[i].keys) key_free[{requests_[i].gateway, key}] = leg.done_us + 1;
  }
  apply_all(Side::legacy, legacy_, legacy_postings_);
  apply_all(Side::modern, modern_, modern_postings_);
}

void BankWorld::apply_all(Side side, std::vector<Leg>& legs, std::vector<Posting>& postings) {
  std::vector<std::size_t> order(requests_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return legs[a].commit_us < legs[b].commit_us; });
  postings.resize(requests_.size());
  for (const std::size_t i : order) postings[i] = apply(side, requests_[i], legs[i].commit_us);
}

BankWorld::Posting BankWorld::apply(Side side, const Request& request, std::int64_t commit_us) {
  std::map<int, std::int64_t> changes;
  Posting posting;
  posting.fee = request.write ? request.amount / 50 : 0;
  const bool wrong = request.wrong && side == Side::modern;
  if (wrong) posting.fee += 7;
  if (request.keys.size() == 2) {
    changes[request.keys[0]] = -request.amount - posting.fee;
    changes[request.keys[1]] = request.amount + (wrong && settings_.wrong_target ? 3 : 0);
  } else if (request.write) {
    changes[request.keys[0]] = request.amount - posting.fee;
  }
  for (const auto& [account, change] : changes) {
    auto& history = history_[{index(side), account}];
    State state = history.empty() ? State{} : history.back().second;
    state.balance += change;
    ++state.count;
    state.hash += static_cast<std::uint64_t>(request.number) * 0x9e3779b97f4a7c15ull;
    history.emplace_back(commit_us, state);
  }
  const auto& history = history_[{index(side), request.keys[0]}];
  posting.from_balance = history.empty() ? State{}.balance : history.back().second.balance;
  return posting;
}

BalanceReading BankWorld::read(const std::string& account, Side side, std::int64_t at_us) const {
  BalanceReading reading;
  reading.account = account;
  reading.side = side;
  reading.read_at_us = at_us;
  reading.exists = true;
  reading.currency = "EUR";
  State state;
  if (const auto found = history_.find({index(side), std::stoi(account.substr(4))}); found != history_.end()) {
    for (const auto& [time, then] : found->second) {
      if (time > at_us) break;
      state = then;
    }
  }
  reading.balance_minor = state.balance;
  if (settings_.positions) {
    reading.txn_count = state.count;
    reading.txn_hash = std::to_string(state.hash);
  }
  return reading;
}

std::string BankWorld::answer(const Request& request, const Posting& posting, Side side) const {
  return fmt::format(R"({{"id":"{}-{}","fee":{},"balance_after":{}}})", to_string(side), request.number,
                     format_minor(posting.fee, 2), format_minor(posting.from_balance, 2));
}

ExchangeEvent BankWorld::event_of(std::size_t i) const {
  const Request& request = requests_[i];
  ExchangeEvent event =
      exchange(static_cast<std::uint64_t>(request.number), answer(request, legacy_postings_[i], Side::legacy),
               answer(request, modern_postings_[i], Side::modern));
  for (std::size_t k = 0; k < request.keys.size(); ++k) event.keys.push_back({name(request.keys[k]), sequences_[i][k]});
  event.gateway = fmt::format("gw-{}", request.gateway);
  event.incarnation = fmt::format("run-{}", request.incarnation);
  event.write = request.write;
  event.route = request.write ? "postings" : "account";
  event.method = request.write ? "POST" : "GET";
  event.received_at_us = legacy_[i].sent_us;
  event.completed_at_us = modern_[i].done_us;
  event.overlap = overlap_[i];
  if (!request.write && overlap_[i]) event.excluded = "overlap";
  return event;
}

}  // namespace phoenix::test
