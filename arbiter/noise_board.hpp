// Which fields of legacy's answers differ from themselves: what the gateway's repeats of reads (route option
// `calibrate`) show. Proposes rules; nothing is ever excused by it. Pure: a function of the events. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arbiter/response_differ.hpp"
#include "core/events/exchange_event.hpp"

namespace phoenix::arbiter {

/// A place at which legacy's two answers differed. Array indices stand as `*`.
struct NoisyField {
  DifferenceKind kind = DifferenceKind::value;
  std::uint64_t differing = 0;  ///< repeats in which it did
  std::string first, second;    ///< of the latest one, as text
  friend bool operator==(const NoisyField&, const NoisyField&) = default;
};

struct RouteNoise {
  std::uint64_t repeats = 0;
  std::map<std::string, NoisyField> fields;  ///< by path; at most kMostFields
  bool more = false;                         ///< others were left out for want of room
  std::string balance;  ///< path of the route's balance, which is money and is never ignored; may be empty

  static constexpr std::size_t kMostFields = 64;
  friend bool operator==(const RouteNoise&, const RouteNoise&) = default;
};

/// (slice, route)
using RouteName = std::pair<std::string, std::string>;

class NoiseBoard {
 public:
  using Route = RouteName;

  /// Notes two answers of legacy, as compared under the rules of the route: what these excuse is no news.
  void take(const ExchangeEvent& event, const ResponseDifference& found, const std::string& balance_path = {});
  [[nodiscard]] const std::map<Route, RouteNoise>& routes() const { return routes_; }
  void restore(const Route& route, RouteNoise noise) { routes_.insert_or_assign(route, std::move(noise)); }

 private:
  std::map<Route, RouteNoise> routes_;
};

/// `/lines/3/fee` as `/lines/*/fee`.
/// Text for storing, which others may read: [{path, kind, differing, first, second, proposal}, …].
std::string encode_fields(const RouteNoise& noise);
RouteNoise decode_route_noise(std::uint64_t repeats, const std::string& fields);

std::string without_indices(std::string_view path);

/// The configuration line that would excuse the field, or why none is proposed; empty while it was seen too rarely to
/// say. `balance_path`: the route's balance, which is money and is never ignored.
std::string proposal_for(const std::string& path, const NoisyField& field, std::uint64_t repeats,
                         std::string_view balance_path);

}  // namespace phoenix::arbiter
