// Which endpoint of a backend gets the next request. Pure: whoever asks says how the endpoints stand.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/runtime/config.hpp"

namespace phoenix::gateway {

struct EndpointView {
  int weight = 1;               // from 1
  std::uint64_t in_flight = 0;  // read by least_requests only
  bool usable = true;           // health checks and ejection say so
  bool tried = false;           // by this request, without success: never picked again
};

/// Belongs to one event loop: round_robin remembers whose turn it is.
class Balancer {
 public:
  Balancer(config::Balance policy, const std::vector<config::BackendEndpoint>& endpoints);

  /// Picks among the usable endpoints that were not tried; when there is none, among all that were not tried: to refuse
  /// everybody because every check failed would be worse. nullopt: all were tried. The views stand in the order of the
  /// configuration. `key_hash` matters for consistent_hash, `random` (uniform over 64 bits) for weighted.
  std::optional<std::size_t> pick(std::span<const EndpointView> views, std::uint64_t key_hash, std::uint64_t random);

  [[nodiscard]] config::Balance policy() const { return policy_; }

 private:
  std::size_t round_robin(std::span<const EndpointView> views, bool usable);
  std::size_t least_requests(std::span<const EndpointView> views, bool usable);
  [[nodiscard]] std::size_t consistent_hash(std::span<const EndpointView> views, bool usable, std::uint64_t key) const;

  config::Balance policy_;
  std::vector<std::uint64_t> name_hashes_;
  std::vector<std::int64_t> credit_;  // of smooth weighted round robin
  std::size_t first_ = 0;             // where least_requests begins to look, so that ties go around
};

/// XXH64, which the choice by key rests on: the same key goes to the same endpoint in every process.
std::uint64_t hash_of_key(std::string_view key);

}  // namespace phoenix::gateway
