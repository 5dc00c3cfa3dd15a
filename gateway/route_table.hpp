// Which route a request belongs to, and which business keys it touches. Built once from the configuration; read by all
// event loops. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/business_key.hpp"
#include "core/runtime/config.hpp"
#include "gateway/message_head.hpp"

namespace phoenix::gateway {

struct Route {
  std::string name;
  int index = 0;         // into per-route counters; 0 is `unmatched`
  int slice_index = -1;  // -1: none (unmatched)
  config::RouteConfig config;
  bool is_unmatched = false;

 private:
  friend class RouteTable;
  std::vector<std::string> segments_;  // "{name}" stands for any one segment
  bool prefix_ = false;
};

/// Why an exchange has no usable keys; `none_configured` is no fault.
enum class KeyState { available, none_configured, unavailable };

struct ExtractedKeys {
  KeyState state = KeyState::none_configured;
  std::vector<BusinessKey> keys;  // distinct, in the order of the configuration
};

/// How a route is named in counters; its place there is kept across reloads.
struct RouteLabel {
  std::string name;
  std::string slice;  // empty: none (unmatched)
};

class RouteTable {
 public:
  /// `earlier`: labels of the table that this one replaces. They keep their places; new routes come behind them.
  RouteTable(const config::GatewayConfig& gateway, const std::vector<config::SliceConfig>& slices,
             const std::vector<RouteLabel>& earlier = {});

  /// First match wins; what matches none is `unmatched`.
  [[nodiscard]] const Route& match(std::string_view method, std::string_view target) const;
  /// By name and slice; null when there is none.
  [[nodiscard]] const Route* find(std::string_view name, std::string_view slice) const;
  /// Keys from the path, a header, the query or the body, by the route's configuration. A JSON body is scanned, never
  /// built as a document; a missing, repeated or unparsable key makes all of them unavailable.
  [[nodiscard]] static ExtractedKeys keys_of(const Route& route, const RequestHead& head, std::string_view body,
                                             std::size_t max_keys);

  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }
  /// By Route::index, with the routes of earlier tables.
  [[nodiscard]] const std::vector<RouteLabel>& labels() const { return labels_; }
  [[nodiscard]] const std::vector<std::string>& slice_names() const { return slice_names_; }
  /// True when every route of the slice that may write is shadowed, so that the slice may leave stage `shadow`.
  [[nodiscard]] bool may_leave_shadow(int slice_index) const {
    return may_leave_shadow_[static_cast<std::size_t>(slice_index)];
  }

 private:
  int index_of(const std::string& name, const std::string& slice);

  std::vector<Route> routes_;
  std::vector<RouteLabel> labels_;
  std::vector<std::string> slice_names_;
  std::vector<bool> may_leave_shadow_;
};

/// The scalar at a JSON pointer of a body; nullopt when it is missing, repeated, no string or number, or the body is no
/// JSON. Numbers are returned as they are written.
std::vector<std::optional<std::string>> json_scalars_at(std::string_view body,
                                                        const std::vector<std::string>& pointers);

}  // namespace phoenix::gateway
