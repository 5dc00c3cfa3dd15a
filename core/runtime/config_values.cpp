// Values with units, and the strict reading of one mapping.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/model/decimal.hpp"
#include "core/runtime/config_section.hpp"

namespace phoenix::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Splits "250ms" into digits and unit; nullopt when the digits are missing or too many.
std::optional<std::pair<std::uint64_t, std::string_view>> split_unit(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return std::pair{number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view key, const std::set<std::string>& known) {
  std::string best;
  std::size_t best_distance = SIZE_MAX;
  for (const auto& candidate : known) {
    const std::size_t distance = edit_distance(key, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace

Result<milliseconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t kLongestMs = 3650ull * 86'400'000;  // ten years: deadlines are counted in nanoseconds
  static constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  if (const auto parts = split_unit(text)) {
    for (const auto& unit : kUnits) {
      if (unit.name == parts->second && parts->first <= kLongestMs / unit.factor) {
        return milliseconds(parts->first * unit.factor);
      }
    }
  }
  return invalid_input(
      fmt::format("'{}' is not a duration; write a whole number with ms, s, m, h or d, like 250ms, up to 3650d", text));
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  static constexpr Unit kUnits[] = {
      {"", 1}, {"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40}};
  if (const auto parts = split_unit(text)) {
    for (const auto& unit : kUnits) {
      if (unit.name == parts->second && parts->first <= INT64_MAX / unit.factor) return parts->first * unit.factor;
    }
  }
  return invalid_input(fmt::format("'{}' is not a size; write a whole number with KiB, MiB or GiB, like 64KiB", text));
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return invalid_input(fmt::format("'{}' is not an address: {}; write HOST:PORT, like 127.0.0.1:8080", text, why));
  };
  std::string_view rest = text;
  std::uint64_t port = 0;
  bool default_port = false;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    default_port = true;
  } else if (rest.find("://") != std::string_view::npos) {
    return bad("only http:// is supported here");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('/') != std::string_view::npos) return bad("a path is not allowed");
  const auto closing = rest.rfind(']');
  auto colon = rest.rfind(':');
  if (colon != std::string_view::npos && closing != std::string_view::npos && colon < closing)
    colon = std::string_view::npos;
  std::string_view host = rest.substr(0, colon);
  if (colon == std::string_view::npos) {
    if (!default_port) return bad("the port is missing");
    port = 80;
  } else {
    const auto parts = split_unit(rest.substr(colon + 1));
    if (!parts || !parts->second.empty() || parts->first > 65535)
      return bad("the port is not a number from 0 to 65535");
    port = parts->first;
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) {
    if (default_port) return bad("the host is missing");
    host = "0.0.0.0";  // ":8080"
  }
  return Endpoint{std::string(host), static_cast<std::uint16_t>(port)};
}

std::string Endpoint::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Section::Section(YAML::Node node, std::string file, std::string where)
    : node_(std::move(node)), file_(std::move(file)), where_(std::move(where)) {
  if (node_ && !node_.IsNull() && !node_.IsMap()) fail("is not a mapping of keys to values");
}

std::string Section::path_of(const std::string& key) const {
  if (where_.empty()) return key;
  return key.empty() ? where_ : where_ + "." + key;
}

void Section::fail(const YAML::Node& at, const std::string& key, const std::string& problem) const {
  const int line = at && at.Mark().line >= 0 ? at.Mark().line + 1 : 0;
  const std::string path = path_of(key);
  throw Failure(ErrorCode::invalid_input, fmt::format("{}{}: {}{}{}", file_, line > 0 ? fmt::format(":{}", line) : "",
                                                      path, path.empty() ? "" : ": ", problem));
}

YAML::Node Section::take(const char* key) {
  known_.insert(key);
  if (!node_ || !node_.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
  const YAML::Node& map = node_;  // const access: looking must not create the key
  YAML::Node value = map[key];
  if (value && value.IsNull()) return YAML::Node(YAML::NodeType::Undefined);
  return value;
}

std::string Section::scalar(const YAML::Node& node, const char* key) const {
  if (!node.IsScalar()) fail(node, key, "must be a single value");
  return node.Scalar();
}

template <class T>
void Section::assign(const YAML::Node& node, const char* key, Result<T> parsed, T& out) {
  if (!parsed) fail(node, key, parsed.error().message);
  out = std::move(*parsed);
}

bool Section::has(const char* key) {
  return static_cast<bool>(take(key));
}

Section Section::section(const char* key) {
  return {take(key), file_, path_of(key)};
}

std::vector<Section> Section::list(const char* key) {
  const YAML::Node node = take(key);
  std::vector<Section> sections;
  if (!node) return sections;
  if (!node.IsSequence()) fail(node, key, "must be a list");
  for (std::size_t i = 0; i < node.size(); ++i)
    sections.emplace_back(node[i], file_, fmt::format("{}[{}]", path_of(key), i));
  return sections;
}

void Section::read_each(const char* key, const std::function<std::optional<Error>(const std::string&)>& value,
                        const std::function<void(Section&)>& mapping) {
  const YAML::Node node = take(key);
  if (!node) return;
  const auto read_value = [&](const YAML::Node& element) {
    if (const auto error = value(scalar(element, key))) fail(element, key, error->message);
  };
  if (node.IsScalar()) return read_value(node);
  if (!node.IsSequence()) fail(node, key, "must be a list");
  for (std::size_t i = 0; i < node.size(); ++i) {
    if (!node[i].IsMap()) {
      read_value(node[i]);
      continue;
    }
    Section element(node[i], file_, fmt::format("{}[{}]", path_of(key), i));
    mapping(element);
  }
}

std::vector<std::pair<std::string, Section>> Section::entries(const char* key) {
  const YAML::Node node = take(key);
  std::vector<std::pair<std::string, Section>> members;
  if (!node) return members;
  if (!node.IsMap()) fail(node, key, "must be a mapping of names to settings");
  for (const auto& entry : node) {
    const std::string name = entry.first.Scalar();
    for (const auto& [other, section] : members) {
      if (other == name) fail(entry.first, key, fmt::format("'{}' stands here twice", name));
    }
    members.emplace_back(name, Section(entry.second, file_, fmt::format("{}.{}", path_of(key), name)));
  }
  return members;
}

void Section::read(const char* key, std::string& out) {
  if (const YAML::Node node = take(key)) out = scalar(node, key);
}

void Section::read(const char* key, bool& out) {
  const YAML::Node node = take(key);
  if (!node) return;
  const std::string text = scalar(node, key);
  if (text != "true" && text != "false") fail(node, key, fmt::format("'{}' is neither true nor false", text));
  out = text == "true";
}

void Section::read(const char* key, int& out, int least, int most) {
  const YAML::Node node = take(key);
  if (!node) return;
  const std::string text = scalar(node, key);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    fail(node, key, fmt::format("'{}' is not a whole number from {} to {}", text, least, most));
  }
  out = value;
}

void Section::read(const char* key, double& out, double least, double most) {
  const YAML::Node node = take(key);
  if (!node) return;
  const std::string text = scalar(node, key);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= least && value <= most)) {
    fail(node, key, fmt::format("'{}' is not a number from {} to {}", text, least, most));
  }
  out = value;
}

void Section::read_count(const char* key, std::uint64_t& out) {
  const YAML::Node node = take(key);
  if (!node) return;
  const auto parts = split_unit(scalar(node, key));
  if (!parts || !parts->second.empty()) fail(node, key, fmt::format("'{}' is not a whole number", node.Scalar()));
  out = parts->first;
}

void Section::read_bytes(const char* key, std::uint64_t& out) {
  if (const YAML::Node node = take(key)) assign(node, key, parse_bytes(scalar(node, key)), out);
}

void Section::read_share(const char* key, double& out) {
  const YAML::Node node = take(key);
  if (!node) return;
  std::string text = scalar(node, key);
  const bool percent = text.ends_with('%');
  if (percent) text.pop_back();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (percent) value /= 100;
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0 && value < 1)) {
    fail(node, key, fmt::format("'{}' is not a share between 0 and 1 (or 0% and 100%), both excluded", node.Scalar()));
  }
  out = value;
}

void Section::read(const char* key, milliseconds& out) {
  if (const YAML::Node node = take(key)) assign(node, key, parse_duration(scalar(node, key)), out);
}

void Section::read(const char* key, Endpoint& out) {
  if (const YAML::Node node = take(key)) assign(node, key, parse_endpoint(scalar(node, key)), out);
}

void Section::read(const char* key, std::vector<Endpoint>& out) {
  std::vector<std::string> texts;
  read(key, texts);
  const YAML::Node node = take(key);
  if (node) out.clear();
  for (const auto& text : texts) {
    Endpoint endpoint;
    assign(node, key, parse_endpoint(text), endpoint);
    out.push_back(endpoint);
  }
}

void Section::read(const char* key, std::vector<std::string>& out) {
  const YAML::Node node = take(key);
  if (!node) return;
  out.clear();
  if (node.IsScalar()) {
    out.push_back(node.Scalar());
    return;
  }
  if (!node.IsSequence()) fail(node, key, "must be a list of values");
  for (const auto& element : node) out.push_back(scalar(element, key));
}

void Section::read_weight(const char* key, std::uint32_t& basis_points) {
  if (const YAML::Node node = take(key))
    assign(node, key, parse_percent_to_basis_points(scalar(node, key)), basis_points);
}

void Section::read_weights(const char* key, std::vector<std::uint32_t>& basis_points) {
  std::vector<std::string> texts;
  read(key, texts);
  const YAML::Node node = take(key);
  if (!node) return;
  basis_points.clear();
  for (const auto& text : texts) {
    std::uint32_t value = 0;
    assign(node, key, parse_percent_to_basis_points(text), value);
    if (value == 0 || (!basis_points.empty() && value <= basis_points.back()))
      fail(node, key, "the steps must rise from above 0");
    basis_points.push_back(value);
  }
  if (basis_points.empty()) fail(node, key, "must name at least one step");
}

void Section::read_map(const char* key, std::map<std::string, std::string>& out) {
  const YAML::Node node = take(key);
  if (!node) return;
  if (!node.IsMap()) fail(node, key, "must be a mapping of names to values");
  for (const auto& entry : node) out[entry.first.Scalar()] = scalar(entry.second, key);
}

void Section::read_members(
    const char* key, const std::function<std::string(const std::string& name, const std::string& value)>& take_member) {
  const YAML::Node node = take(key);
  if (!node) return;
  if (!node.IsMap()) fail(node, key, "must be a mapping of names to values");
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string& name = entry.first.Scalar();
    if (!seen.insert(name).second) fail(entry.first, key, fmt::format("'{}' stands here twice", name));
    const std::string problem = take_member(name, scalar(entry.second, key));
    if (!problem.empty()) fail(entry.first, key, problem);
  }
}

int Section::line() const {
  return node_ ? node_.Mark().line + 1 : 0;
}

void Section::finish() {
  if (!node_ || !node_.IsMap()) return;
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    const std::string key = entry.first.Scalar();
    if (!seen.insert(key).second) fail(entry.first, "", fmt::format("key '{}' stands here twice", key));
    if (known_.contains(key)) continue;
    fail(entry.first, "", fmt::format("unknown key '{}'; did you mean '{}'?", key, nearest(key, known_)));
  }
}

}  // namespace phoenix::config
