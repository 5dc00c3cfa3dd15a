#include "gateway/route_table.hpp"

#include <algorithm>

namespace phoenix::gateway {
namespace {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> segments;
  path.remove_prefix(1);
  while (true) {
    const std::size_t slash = path.find('/');
    segments.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

bool is_placeholder(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find('?'));
}

// Walks template and path side by side; `visit(placeholder, segment of the path)` may refuse.
template <class Visit>
bool walk(const std::vector<std::string>& segments, bool prefix, std::string_view path, Visit visit) {
  if (path.empty() || path.front() != '/') return false;
  path.remove_prefix(1);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    std::size_t end = segments[i].size();
    if (is_placeholder(segments[i])) {
      end = std::min(path.find('/'), path.size());
      if (!visit(segments[i], path.substr(0, end))) return false;
    } else if (!path.starts_with(segments[i]) || (end < path.size() && path[end] != '/')) {
      return false;
    }
    const bool last = i + 1 == segments.size();
    if (end == path.size()) return last && !prefix;
    path.remove_prefix(end + 1);
  }
  return prefix;
}

// One account must not have two keys: %37 and 7 are the same. Broken escapes make the key unavailable.
std::optional<std::string> percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return out;
}

std::optional<std::string> path_key(const std::vector<std::string>& segments, bool prefix, std::string_view path,
                                    const std::string& name) {
  std::optional<std::string> found;
  walk(segments, prefix, path, [&](const std::string& segment, std::string_view actual) {
    if (std::string_view(segment).substr(1, segment.size() - 2) == name) found = percent_decoded(actual);
    return true;
  });
  return found;
}

std::optional<std::string> header_key(const RequestHead& head, const std::string& name) {
  std::optional<std::string> found;
  for (const auto& field : head.fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (found) return std::nullopt;  // repeated: which one would the backend take?
    found = std::string(field.value);
  }
  return found;
}

// A backend decodes names before it compares them: n%6f is no.
bool is_named(std::string_view text, const std::string& name) {
  return text == name || (text.find('%') != std::string_view::npos && percent_decoded(text) == name);
}

std::optional<std::string> query_key(std::string_view target, const std::string& name) {
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  std::string_view query = target.substr(mark + 1);
  std::optional<std::string> found;
  while (!query.empty()) {
    const std::size_t ampersand = query.find('&');
    const std::string_view pair = query.substr(0, ampersand);
    const std::size_t equals = pair.find('=');
    if (is_named(pair.substr(0, equals), name)) {
      if (found) return std::nullopt;
      found = percent_decoded(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
      if (!found) return std::nullopt;
    }
    if (ampersand == std::string_view::npos) break;
    query.remove_prefix(ampersand + 1);
  }
  return found;
}

bool may_write(const config::RouteConfig& route) {
  if (route.methods.empty()) return true;
  return std::any_of(route.methods.begin(), route.methods.end(), [](const std::string& method) {
    return method != "GET" && method != "HEAD" && method != "OPTIONS" && method != "TRACE";
  });
}

}  // namespace

RouteTable::RouteTable(const config::GatewayConfig& gateway, const std::vector<config::SliceConfig>& slices,
                       const std::vector<RouteLabel>& earlier)
    : labels_(earlier) {
  for (const auto& slice : slices) slice_names_.push_back(slice.name);
  may_leave_shadow_.assign(slices.size(), true);
  Route unmatched;
  unmatched.name = "unmatched";
  unmatched.is_unmatched = true;
  unmatched.index = index_of(unmatched.name, "");
  routes_.push_back(std::move(unmatched));
  for (const auto& config : gateway.routes) {
    Route route;
    route.name = config.name;
    route.index = index_of(config.name, config.slice);
    route.config = config;
    route.slice_index =
        static_cast<int>(std::find(slice_names_.begin(), slice_names_.end(), config.slice) - slice_names_.begin());
    route.segments_ = split_path(config.path);
    if (route.segments_.back() == "*") {
      route.prefix_ = true;
      route.segments_.pop_back();
    }
    if (may_write(config) && config.shadow != config::ShadowMode::dual) {
      may_leave_shadow_[static_cast<std::size_t>(route.slice_index)] = false;
    }
    routes_.push_back(std::move(route));
  }
}

int RouteTable::index_of(const std::string& name, const std::string& slice) {
  const auto at =
      std::find_if(labels_.begin(), labels_.end(), [&](const RouteLabel& label) { return label.name == name; });
  if (at == labels_.end()) {
    labels_.push_back({name, slice});
    return static_cast<int>(labels_.size()) - 1;
  }
  at->slice = slice;
  return static_cast<int>(at - labels_.begin());
}

const Route* RouteTable::find(std::string_view name, std::string_view slice) const {
  const auto found = std::find_if(routes_.begin(), routes_.end(), [&](const Route& route) {
    return !route.is_unmatched && route.name == name && route.config.slice == slice;
  });
  return found == routes_.end() ? nullptr : &*found;
}

const Route& RouteTable::match(std::string_view method, std::string_view target) const {
  const std::string_view path = path_of(target);
  for (std::size_t i = 1; i < routes_.size(); ++i) {
    const Route& route = routes_[i];
    const auto& methods = route.config.methods;
    if (!methods.empty() && std::find(methods.begin(), methods.end(), method) == methods.end()) continue;
    const auto is_there = [](const std::string&, std::string_view actual) { return !actual.empty(); };
    if (walk(route.segments_, route.prefix_, path, is_there)) return route;
  }
  return routes_.front();
}

ExtractedKeys RouteTable::keys_of(const Route& route, const RequestHead& head, std::string_view body,
                                  std::size_t max_keys) {
  const config::KeyConfig& key = route.config.key;
  if (key.none()) return {};
  std::vector<std::optional<std::string>> found;
  if (!key.json.empty()) found = json_scalars_at(body, key.json);
  if (!key.path.empty()) found.push_back(path_key(route.segments_, route.prefix_, path_of(head.target), key.path));
  if (!key.header.empty()) found.push_back(header_key(head, key.header));
  if (!key.query.empty()) found.push_back(query_key(head.target, key.query));
  ExtractedKeys result{KeyState::unavailable, {}};
  result.keys.reserve(found.size());
  for (auto& value : found) {
    if (!value || value->empty() || *value == kUnknownKey || value->size() > 256) return {KeyState::unavailable, {}};
    if (std::find(result.keys.begin(), result.keys.end(), *value) == result.keys.end())
      result.keys.push_back(std::move(*value));
  }
  if (result.keys.size() <= max_keys) result.state = KeyState::available;
  if (result.state != KeyState::available) result.keys.clear();
  return result;
}

}  // namespace phoenix::gateway
