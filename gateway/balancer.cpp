#include "gateway/balancer.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cmath>

namespace phoenix::gateway {
namespace {

// `usable`: those that are not usable are passed over.
bool is_candidate(const EndpointView& view, bool usable) {
  return !view.tried && (view.usable || !usable);
}

std::size_t weighted(std::span<const EndpointView> views, bool usable, std::uint64_t random) {
  std::uint64_t total = 0;
  for (const auto& view : views) total += is_candidate(view, usable) ? static_cast<std::uint64_t>(view.weight) : 0;
  std::uint64_t left = random % total;
  std::size_t at = 0;
  for (; at < views.size(); ++at) {
    if (!is_candidate(views[at], usable)) continue;
    const auto weight = static_cast<std::uint64_t>(views[at].weight);
    if (left < weight) break;
    left -= weight;
  }
  return at;
}

}  // namespace

Balancer::Balancer(config::Balance policy, const std::vector<config::BackendEndpoint>& endpoints)
    : policy_(policy), credit_(endpoints.size()) {
  for (const auto& endpoint : endpoints) name_hashes_.push_back(hash_of_key(endpoint.name()));
}

std::optional<std::size_t> Balancer::pick(std::span<const EndpointView> views, std::uint64_t key_hash,
                                          std::uint64_t random) {
  const auto any = [&](bool usable) {
    return std::any_of(views.begin(), views.end(), [&](const auto& view) { return is_candidate(view, usable); });
  };
  const bool usable = any(true);
  if (!usable && !any(false)) return std::nullopt;
  switch (policy_) {
    case config::Balance::least_requests:
      return least_requests(views, usable);
    case config::Balance::weighted:
      return weighted(views, usable, random);
    case config::Balance::consistent_hash:
      return consistent_hash(views, usable, key_hash);
    case config::Balance::round_robin:
      break;
  }
  return round_robin(views, usable);
}

// Smooth weighted round robin: everybody earns its weight, the richest is picked and pays what all have earned. With
// weights 5, 1, 1 that gives a a b a c a a, not five in a row.
std::size_t Balancer::round_robin(std::span<const EndpointView> views, bool usable) {
  std::int64_t total = 0;
  std::size_t best = views.size();
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!is_candidate(views[i], usable)) continue;
    total += views[i].weight;
    credit_[i] += views[i].weight;
    if (best == views.size() || credit_[i] > credit_[best]) best = i;
  }
  credit_[best] -= total;
  return best;
}

// The least load for its weight, counting the request that is about to come.
std::size_t Balancer::least_requests(std::span<const EndpointView> views, bool usable) {
  const std::size_t first = first_++ % views.size();
  const auto load = [&](std::size_t i) { return static_cast<double>(views[i].in_flight + 1) / views[i].weight; };
  std::size_t best = views.size();
  for (std::size_t n = 0; n < views.size(); ++n) {
    const std::size_t i = (first + n) % views.size();
    if (is_candidate(views[i], usable) && (best == views.size() || load(i) < load(best))) best = i;
  }
  return best;
}

// Weighted rendezvous hashing: the highest -weight / ln(u) wins, u in (0, 1) from the hash of key and endpoint. An
// endpoint that goes away moves its own keys and no others.
std::size_t Balancer::consistent_hash(std::span<const EndpointView> views, bool usable, std::uint64_t key) const {
  std::size_t best = views.size();
  double highest = 0;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!is_candidate(views[i], usable)) continue;
    const std::uint64_t hash = XXH64(&name_hashes_[i], sizeof name_hashes_[i], key);
    const double u = (static_cast<double>(hash >> 11U) + 0.5) * 0x1p-53;
    const double score = -views[i].weight / std::log(u);
    if (best == views.size() || score > highest) {
      best = i;
      highest = score;
    }
  }
  return best;
}

std::uint64_t hash_of_key(std::string_view key) {
  return XXH64(key.data(), key.size(), 0);
}

}  // namespace phoenix::gateway
