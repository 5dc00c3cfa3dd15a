#include "orchestrator/evidence_board.hpp"

#include <algorithm>

namespace phoenix::orchestrator {
namespace {

using std::chrono::nanoseconds;

constexpr std::chrono::seconds kRateWindow{60};
constexpr std::chrono::seconds kForgetGateway{60};
constexpr std::size_t kMaxSamples = 1'000;

std::uint64_t count(const std::map<std::string, std::uint64_t>& counts, const char* backend) {
  const auto it = counts.find(backend);
  return it == counts.end() ? 0 : it->second;
}

/// Counters start at zero again with every incarnation of a gateway.
ServingErrors difference(const GatewayStatus& now, const GatewayStatus* before) {
  const auto since = [&](const std::map<std::string, std::uint64_t> GatewayStatus::*counts, const char* backend) {
    const std::uint64_t current = count(now.*counts, backend);
    const std::uint64_t previous = before == nullptr ? 0 : count(before->*counts, backend);
    return current >= previous ? current - previous : 0;
  };
  return {since(&GatewayStatus::serving_errors, "modern"), since(&GatewayStatus::served, "modern"),
          since(&GatewayStatus::serving_errors, "legacy"), since(&GatewayStatus::served, "legacy")};
}

}  // namespace

void EvidenceBoard::add(const ScoreEvent& score) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.monotonic();
  SliceNews& news = slices_[score.slice];
  if (news.score.slice.empty()) {
    news.score = score;
  } else {
    // An arbiter that starts over may step back; only moving forward is news.
    if (score.event_time_us > news.score.event_time_us) news.advanced_at = now;
    if (score.rung != news.score.rung) news.units.clear();
    news.score = score;
  }
  news.units.push_back({now, score.reads.units.units, score.writes.units.units});
  while (news.units.size() > kMaxSamples || now - news.units.front().at > kRateWindow) news.units.pop_front();
}

void EvidenceBoard::add(const GatewayStatus& status) {
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.monotonic();
    const auto [it, first] = gateways_.try_emplace(status.gateway);
    GatewayNews& news = it->second;
    // What a gateway counted before it was first heard of is not of this window.
    const bool same = !first && news.status.incarnation == status.incarnation;
    if (!first) news.errors.push_back({now, difference(status, same ? &news.status : nullptr)});
    while (!news.errors.empty() && now - news.errors.front().at > limits_.error_window) news.errors.pop_front();
    news.status = status;
    news.received_at = now;
    std::erase_if(gateways_, [&](const auto& g) { return now - g.second.received_at > kForgetGateway; });
  }
  changed_.notify_all();
}

ServingErrors EvidenceBoard::serving_locked() const {
  ServingErrors sum;
  const auto now = clock_.monotonic();
  for (const auto& [id, news] : gateways_) {
    for (const auto& sample : news.errors) {
      if (now - sample.at > limits_.error_window) continue;
      sum.modern_errors += sample.delta.modern_errors;
      sum.modern_served += sample.delta.modern_served;
      sum.legacy_errors += sample.delta.legacy_errors;
      sum.legacy_served += sample.delta.legacy_served;
    }
  }
  return sum;
}

std::map<std::string, std::uint64_t> EvidenceBoard::lost_locked(const std::string& slice) const {
  std::map<std::string, std::uint64_t> lost;
  for (const auto& [id, news] : gateways_) {
    for (const auto& route : news.status.routes) {
      if (route.slice == slice) lost[id] += count(route.dropped, "event_log_full") + route.lost;
    }
  }
  return lost;
}

Evidence EvidenceBoard::evidence(const SlicePolicy& slice) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.monotonic();
  Evidence evidence;
  for (const auto& view : gateways_locked()) {
    if (view.live) evidence.live_gateways.push_back(view.status);
  }
  evidence.serving = serving_locked();
  SliceNews& news = slices_[slice.name];
  if (news.rung != slice.rung || !news.rung_since) {
    news.rung = slice.rung;
    news.rung_since = now;
    news.lost_before = lost_locked(slice.name);
  }
  // Counts go on across a gateway's restarts: of one that is seen for the first time, what comes from now on counts.
  for (const auto& [gateway, lost] : lost_locked(slice.name)) {
    std::uint64_t& before = news.lost_before.try_emplace(gateway, lost).first->second;
    if (lost < before) before = 0;  // it began anew
    evidence.lost_events += lost > before ? lost - before : 0;
  }
  evidence.at_rung = now - *news.rung_since;
  if (news.score.slice.empty()) return evidence;
  evidence.score = news.score;
  if (news.advanced_at) evidence.score_age = now - *news.advanced_at;
  if (news.score.rung == slice.rung && news.units.size() > 1) {
    const auto &first = news.units.front(), &last = news.units.back();
    const double seconds = std::chrono::duration<double>(last.at - first.at).count();
    const auto rate = [&](std::uint64_t from, std::uint64_t to) {
      return seconds > 0 && to > from ? static_cast<double>(to - from) / seconds : 0.0;
    };
    evidence.reads_per_second = rate(first.reads, last.reads);
    evidence.writes_per_second = rate(first.writes, last.writes);
  }
  return evidence;
}

std::vector<GatewayView> EvidenceBoard::gateways_locked() const {
  std::vector<GatewayView> views;
  const auto now = clock_.monotonic();
  for (const auto& [id, news] : gateways_) {
    const auto age = now - news.received_at;
    if (age <= kForgetGateway) views.push_back({news.status, age, age <= limits_.gateway_live});
  }
  return views;
}

std::vector<GatewayView> EvidenceBoard::gateways() const {
  const std::lock_guard lock(mutex_);
  return gateways_locked();
}

std::vector<GatewayStatus> EvidenceBoard::live_gateways() const {
  std::vector<GatewayStatus> live;
  for (auto& view : gateways()) {
    if (view.live) live.push_back(std::move(view.status));
  }
  return live;
}

bool EvidenceBoard::wait_until(std::chrono::milliseconds timeout,
                               const std::function<bool(const std::vector<GatewayView>&)>& done) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return done(gateways_locked()); });
}

}  // namespace phoenix::orchestrator
