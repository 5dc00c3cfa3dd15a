#include "tests/simulation/detector/arbiter_reader.hpp"

#include <cstdlib>

#include "core/events/event_log.hpp"

namespace phoenix::detector {
namespace {

constexpr std::int64_t kReadEveryUs = 50'000;
constexpr std::int64_t kLookEveryUs = 5'000;

config::Config make_config(StateSource source) {
  config::Config config;
  config.slices = {{kSlice, Stage::shadow, 0}};
  for (const auto* name : {"account", "deposits", "withdrawals", "transfers", "interest", "openings"}) {
    config::RouteConfig route;
    route.name = name;
    route.slice = kSlice;
    route.methods = {route.name == "account" ? "GET" : "POST"};
    route.shadow = config::ShadowMode::dual;
    route.compare.ignore = {"/posting_id"};
    const bool posting = route.name != "account" && route.name != "openings";
    route.compare.balance = posting ? "/balance_after" : "/balance";
    if (route.name == "openings") route.creates = "/account_id";
    if (route.name == "interest") route.reads_balance = config::ReadsBalance::amount;
    if (route.name == "withdrawals" || route.name == "transfers") route.reads_balance = config::ReadsBalance::refusal;
    config.gateway.routes.push_back(route);
  }
  if (source == StateSource::capture) {
    config.arbiter.state_source = config::StateSource::capture;
    config.arbiter.jobs.push_back({.name = "interest run"});
  }
  if (source == StateSource::query)
    config.arbiter.legacy_db.url = config.arbiter.modern_db.url = "postgresql:///simulated";
  return config;
}

}  // namespace

std::uint64_t number_of(const std::string& exchange_id) {
  return exchange_id.size() == 36 ? std::stoull(exchange_id.substr(24), nullptr, 16) : 0;
}

ArbiterReader::ArbiterReader(StateSource source) : source_(source), core_(make_config(source), arbiter::CoreState{}) {}

bool ArbiterReader::anything_open() const {
  return core_.open_count() > 0 || (source_ == StateSource::query && !core_.wanted_readings().empty());
}

void ArbiterReader::exchange(std::int64_t now_us, const std::string& key, const std::string& frame) {
  core_.apply({topics::kShadowRequests, 0, exchanges_end_++, (kEpochUs + now_us) / 1'000, key, frame});
  take(now_us);
}

void ArbiterReader::state(std::int64_t now_us, const arbiter::StateRecord& record) {
  if (source_ != StateSource::capture) return;
  core_.apply_state(record, {topics::kDbStateUpdates, 0, states_end_++, (kEpochUs + now_us) / 1'000, "", ""});
  take(now_us);
}

void ArbiterReader::status(std::int64_t now_us, const std::string& text) {
  core_.apply({topics::kGatewayStatus, 0, statuses_end_++, (kEpochUs + now_us) / 1'000, "", text});
  take(now_us);
}

void ArbiterReader::take(std::int64_t now_us) {
  if (source_ == StateSource::query) read_wanted(now_us);
  auto changes = core_.take_changes();
  for (const auto& id : changes.retracted) rows_.erase(id);
  for (auto& verdict : changes.verdicts) {
    trace(verdict);
    rows_.insert_or_assign(std::move(verdict.id), Row{std::move(verdict.event), now_us});
  }
}

void ArbiterReader::trace(const arbiter::DecidedVerdict& verdict) const {
  if (world_->traced.empty()) return;
  const auto& event = verdict.event;
  const std::uint64_t number = number_of(event.exchange_id);
  world_->trace(std::atoi(event.account.c_str()), "verdict on {}: {}: {}",
                number != 0 ? std::to_string(number) : verdict.id, to_string(event.verdict), event.detail);
}

void ArbiterReader::read_wanted(std::int64_t now_us) {
  if (now_us < next_look_us_) return;
  next_look_us_ = now_us + kLookEveryUs;
  const auto wanted = core_.wanted_readings();
  for (const auto& [account, urgent] : wanted) {
    auto& due = due_us_[account];
    if (due > now_us) continue;
    due = now_us + kReadEveryUs;
    for (const Side side : {Side::legacy, Side::modern}) read(now_us, account, side);
  }
}

void ArbiterReader::read(std::int64_t now_us, const std::string& account, Side side) {
  BalanceReading reading;
  reading.account = account;
  reading.side = side;
  reading.read_at_us = kEpochUs + now_us;
  reading.read_id = static_cast<std::uint64_t>(core_.exchange_time_us());
  if (const auto* found = world_->bank(side).find(std::atoi(account.c_str()))) {
    reading.exists = true;
    reading.balance_minor = found->balance_minor;
    reading.currency = "EUR";
    reading.txn_count = found->count;
    reading.txn_hash = std::to_string(found->hash);
  }
  core_.apply({topics::kDbStateUpdates, 0, states_end_++, (kEpochUs + now_us) / 1'000, account, encode(reading)});
}

}  // namespace phoenix::detector
