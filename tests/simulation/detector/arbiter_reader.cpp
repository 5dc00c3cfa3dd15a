#include "tests/simulation/detector/arbiter_reader.hpp"

#include <cstdlib>

#include "core/events/event_log.hpp"

namespace phoenix::detector {
namespace {

constexpr std::int64_t kReadEveryUs = 50'000;
constexpr std::int64_t kLookEveryUs = 5'000;

/// As long as decision cores exist that cannot take changes.
template <class Core>
void give_state(Core& core, const arbiter::StateRecord& state, const LogRecord& record) {
  if constexpr (requires { core.apply_state(state, record); }) core.apply_state(state, record);
}

/// As long as verdicts exist that carry no cause.
template <class Decided>
std::string cause_of(const Decided& verdict) {
  if constexpr (requires { verdict.event.cause; }) return verdict.event.cause;
  return "";
}
template <class Decided>
std::string cause_detail_of(const Decided& verdict) {
  if constexpr (requires { verdict.cause_detail; }) return verdict.cause_detail;
  return "";
}

template <class Config>
void read_streams(Config& config) {
  if constexpr (requires { config.arbiter.state_source; }) {
    config.arbiter.state_source = decltype(config.arbiter.state_source)::capture;
    config.arbiter.jobs.push_back({"interest run"});
  }
}

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
    config.gateway.routes.push_back(route);
  }
  if (source == StateSource::capture) read_streams(config);
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
  give_state(core_, record, {topics::kDbStateUpdates, 0, states_end_++, (kEpochUs + now_us) / 1'000, "", ""});
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
    Row row{{}, cause_of(verdict), cause_detail_of(verdict), now_us};
    row.event = std::move(verdict.event);
    rows_.insert_or_assign(std::move(verdict.id), std::move(row));
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
