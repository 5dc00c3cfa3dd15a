#include "gateway/route_table.hpp"
#include "tests/fuzz/head_properties.hpp"
#include "tests/fuzz/json_reference.hpp"

namespace phoenix::fuzz {
namespace {

using gateway::ExtractedKeys;
using gateway::KeyState;
using gateway::RequestHead;
using gateway::Route;

constexpr std::size_t kMaxKeys = 2;

config::RouteConfig route(const char* path, std::vector<std::string> methods, config::KeyConfig key) {
  config::RouteConfig config;
  config.name = config.path = path;
  config.methods = std::move(methods);
  config.key = std::move(key);
  return config;
}

const gateway::RouteTable& table() {
  static const gateway::RouteTable routes = [] {
    config::GatewayConfig gateway;
    gateway.routes = {route("/transfers", {"POST"}, {{"/from", "/to/id", "/third"}, {}, {}, {}}),
                      route("/accounts/{id}", {}, {{}, "id", {}, {}}),
                      route("/banks/{bank}/accounts/{id}/*", {"GET", "PUT"}, {{}, "id", {}, {}}),
                      route("/cards", {"GET"}, {{}, {}, {}, "no"}),
                      route("/pins/*", {}, {{}, {}, "X-Card", {}}),
                      route("/", {}, {})};
    return gateway::RouteTable(gateway, {config::SliceConfig{}});
  }();
  return routes;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string digits(text.substr(i + 1, 2));
    if (digits.size() != 2 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
      return std::nullopt;
    out += static_cast<char>(std::stoi(digits, nullptr, 16));
    i += 2;
  }
  return out;
}

std::string path_of(std::string_view target) {
  return std::string(target.substr(0, target.find('?')));
}

bool slow_match(const Route& candidate, const RequestHead& head) {
  const auto& methods = candidate.config.methods;
  if (!methods.empty() && std::find(methods.begin(), methods.end(), head.method) == methods.end()) return false;
  const auto pattern = split(candidate.config.path, '/');
  const auto path = split(path_of(head.target), '/');
  const bool prefix = pattern.back() == "*";
  if (prefix ? path.size() < pattern.size() : path.size() != pattern.size()) return false;
  for (std::size_t i = 0; i < pattern.size() - (prefix ? 1 : 0); ++i) {
    if (pattern[i].starts_with('{') ? path[i].empty() : pattern[i] != path[i]) return false;
  }
  return true;
}

std::optional<std::string> slow_path_key(const Route& matched, const RequestHead& head) {
  const auto pattern = split(matched.config.path, '/');
  const auto path = split(path_of(head.target), '/');
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == "{" + matched.config.key.path + "}") return decoded(path[i]);
  }
  return std::nullopt;
}

// Every pair whose name is the key's once it is decoded, as a server reads it: there must be one.
std::optional<std::string> slow_query_key(std::string_view target, const std::string& name) {
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  std::vector<std::optional<std::string>> values;
  for (const auto& pair : split(target.substr(mark + 1), '&')) {
    const std::size_t equals = pair.find('=');
    if (decoded(pair.substr(0, equals)) != name) continue;
    values.push_back(equals == std::string::npos ? std::optional(std::string()) : decoded(pair.substr(equals + 1)));
  }
  return values.size() == 1 ? values.front() : std::nullopt;
}

std::vector<std::optional<std::string>> slow_values(const Route& matched, const RequestHead& head,
                                                    std::string_view body) {
  const auto& key = matched.config.key;
  std::vector<std::optional<std::string>> values;
  for (const auto& pointer : key.json) values.push_back(slow_scalar_at(body, pointer));
  if (!key.path.empty()) values.push_back(slow_path_key(matched, head));
  if (!key.query.empty()) values.push_back(slow_query_key(head.target, key.query));
  if (!key.header.empty())
    values.push_back(count(head, key.header) == 1 ? std::optional(std::string(head.find(key.header))) : std::nullopt);
  return values;
}

ExtractedKeys slow_keys(const Route& matched, const RequestHead& head, std::string_view body) {
  if (matched.config.key.none()) return {};
  ExtractedKeys result{KeyState::available, {}};
  for (const auto& value : slow_values(matched, head, body)) {
    if (!value || value->empty() || value->size() > 256 || *value == kUnknownKey) return {KeyState::unavailable, {}};
    if (std::find(result.keys.begin(), result.keys.end(), *value) == result.keys.end()) result.keys.push_back(*value);
  }
  if (result.keys.size() > kMaxKeys) return {KeyState::unavailable, {}};
  return result;
}

}  // namespace

void route_keys(std::string_view input) {
  const gateway::HeadEnd end = slow_head_end(input);
  RequestHead head;
  if (end.state != gateway::HeadEnd::State::complete || parse_request_head(input.substr(0, end.length), head)) return;
  const Route& matched = table().match(head.method, head.target);
  for (const auto& candidate : table().routes()) {
    if (candidate.is_unmatched) continue;
    const bool matches = slow_match(candidate, head);
    check(!matches || (!matched.is_unmatched && matched.index <= candidate.index), "no earlier route was passed over");
    check(matches || matched.index != candidate.index, "the route that was chosen matches");
  }
  const std::string_view body = input.substr(end.length);
  const ExtractedKeys keys = gateway::RouteTable::keys_of(matched, head, body, kMaxKeys);
  const ExtractedKeys expected = slow_keys(matched, head, body);
  check(keys.state == expected.state && keys.keys == expected.keys, "the keys that every server would see, or none");
}

}  // namespace phoenix::fuzz
