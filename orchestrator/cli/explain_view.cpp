#include "orchestrator/cli/explain_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "orchestrator/cli/cause_view.hpp"
#include "orchestrator/cli/table.hpp"

namespace phoenix::orchestrator::cli {
namespace {

using nlohmann::json;

/// Walks JSON and keeps every number as it was written: 0.10 and 0.1 must look different here, and no amount may pass
/// through binary floating point.
class Flattener : public nlohmann::json_sax<json> {
 public:
  std::vector<std::pair<std::string, std::string>> pairs;

  bool null() override { return leaf("null"); }
  bool boolean(bool value) override { return leaf(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return leaf(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return leaf(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return leaf(text); }
  bool string(string_t& value) override { return leaf('"' + value + '"'); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(false); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_object() override { return close("{}"); }
  bool end_array() override { return close("[]"); }
  bool key(string_t& name) override {
    levels_.back().name = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  struct Level {
    bool array;
    std::size_t index = 0;
    std::string name;
  };
  bool open(bool array) {
    levels_.push_back({array, 0, {}});
    return true;
  }
  bool close(const char* when_empty) {
    const bool empty = levels_.back().index == 0;
    levels_.pop_back();
    if (empty) return leaf(when_empty);
    if (!levels_.empty()) ++levels_.back().index;
    return true;
  }
  bool leaf(std::string value) {
    std::string path;
    for (const auto& level : levels_) path += "/" + (level.array ? std::to_string(level.index) : level.name);
    pairs.emplace_back(path.empty() ? "/" : path, std::move(value));
    if (!levels_.empty()) ++levels_.back().index;
    return true;
  }
  std::vector<Level> levels_;
};

std::vector<std::string> segments(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    parts.push_back(path.substr(at + 1, end - at - 1));
    at = end;
  }
  return parts;
}

/// A column of the exchange as text, whatever its type; empty when absent.
std::string text_of(const json& row, const char* name) {
  const auto it = row.find(name);
  if (it == row.end() || it->is_null()) return "";
  return it->is_string() ? it->get<std::string>() : it->dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string milliseconds_text(const json& leg) {
  const auto it = leg.find("duration_us");
  return it == leg.end() || !it->is_number() ? "-" : fmt::format("{:.1f} ms", it->get<double>() / 1000);
}

/// The leg of one side; empty where the header has none.
const json& leg_of(const json& header, const char* side) {
  static const json kNone = json::object();
  const auto it = header.find(side);
  return it == header.end() || !it->is_object() ? kNone : *it;
}

std::string status_text(const json& exchange, const json& leg, const std::string& side) {
  std::string status = text_of(exchange, (side + "_status").c_str());
  if (status.empty() || status == "0") status = text_of(leg, "status");
  const std::string outcome = text_of(leg, "outcome");
  if (!outcome.empty() && outcome != "ok") status += (status.empty() ? "" : " ") + outcome;
  return status.empty() ? "-" : status;
}

std::string or_dash(std::string text) {
  return text.empty() ? "-" : text;
}

std::string bodies(const std::string& legacy, const std::string& modern, const std::vector<std::string>& ignored) {
  const auto left = flatten_json(legacy), right = flatten_json(modern);
  if (left.empty() || right.empty()) {
    if (legacy.empty() && modern.empty()) return "bodies: none kept\n";
    return fmt::format("legacy body\n{}\n\nmodern body\n{}\n", or_dash(legacy), or_dash(modern));
  }
  Table table({" ", "PATH", "LEGACY", "MODERN"});
  const auto find = [](const auto& pairs, const std::string& path) {
    return std::find_if(pairs.begin(), pairs.end(), [&](const auto& p) { return p.first == path; });
  };
  const auto mark = [&](const std::string& path, bool equal) {
    if (equal) return " ";
    const bool ignore =
        std::any_of(ignored.begin(), ignored.end(), [&](const auto& rule) { return path_matches(path, rule); });
    return ignore ? "~" : "≠";
  };
  for (const auto& [path, value] : left) {
    const auto other = find(right, path);
    const bool equal = other != right.end() && other->second == value;
    table.add({mark(path, equal), path, value, other == right.end() ? "(absent)" : other->second});
  }
  for (const auto& [path, value] : right) {
    if (find(left, path) == left.end()) table.add({mark(path, false), path, "(absent)", value});
  }
  return table.render() + (ignored.empty() ? "≠ differs\n" : "≠ differs   ~ differs, ignored by the route\n");
}

/// What the arbiter found, rules applied; the bodies below are as they were.
std::string differences_text(const json& header) {
  const json differences = header.value("differences", json::array());
  if (differences.empty()) return {};
  Table table({"DIFFERENCE", "PATH", "LEGACY", "MODERN"});
  for (const auto& difference : differences) {
    table.add({text_of(difference, "kind"), or_dash(text_of(difference, "path")), text_of(difference, "legacy"),
               text_of(difference, "modern")});
  }
  return table.render() + "\n";
}

std::string request_text(const json& exchange, const json& header) {
  std::string text =
      fmt::format("request\n  {} {}\n", printable(text_of(header, "method")), printable(text_of(header, "target")));
  const std::string body = text_of(exchange, "request_body");
  const auto fields = flatten_json(body);
  for (const auto& [path, value] : fields) text += fmt::format("  {}  {}\n", printable(path), printable(value));
  if (fields.empty() && !body.empty()) text += "  " + printable(body) + "\n";
  return text;
}

std::string keys_text(const json& header) {
  std::string keys;
  const auto it = header.find("keys");
  if (it == header.end() || !it->is_array()) return keys;
  for (const auto& key : *it) {
    keys += keys.empty() ? "" : ", ";
    if (key.is_object())
      keys += text_of(key, "key");
    else if (key.is_array() && !key.empty() && key[0].is_string())
      keys += key[0].get<std::string>();
    else if (key.is_string())
      keys += key.get<std::string>();
  }
  return keys;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> flatten_json(const std::string& text) {
  Flattener flattener;
  if (!json::sax_parse(text, &flattener)) return {};
  return std::move(flattener.pairs);
}

bool path_matches(const std::string& path, const std::string& pattern) {
  const auto have = segments(path), want = segments(pattern);
  if (want.size() > have.size()) return false;
  return std::equal(want.begin(), want.end(), have.begin(),
                    [](const auto& w, const auto& h) { return w == "*" || w == h; });
}

std::string render_exchange(const std::string& document, const std::vector<std::string>& ignored) {
  const json parsed = json::parse(document, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("exchange")) return "not an exchange document\n";
  const json& exchange = parsed["exchange"];
  const json header = exchange.value("header", json::object());
  std::string text = fmt::format("exchange {}\n", printable(text_of(exchange, "exchange_id")));
  text += fmt::format("  slice {}, route {}, stage {}, rung {}, served by {}, gateway {}\n",
                      printable(text_of(header, "slice")), printable(text_of(header, "route")),
                      or_dash(text_of(header, "stage")), or_dash(text_of(header, "rung")),
                      or_dash(text_of(header, "serving_side")), printable(or_dash(text_of(header, "gateway"))));
  const auto received = header.value("received_at_us", json());
  text += fmt::format("  received {} UTC, keys {}{}\n",
                      received.is_number_integer() ? utc_time(received.get<std::int64_t>() / 1000) : "-",
                      printable(or_dash(keys_text(header))),
                      text_of(header, "overlap") == "true" ? ", overlapped another write" : "");
  for (const auto& verdict : parsed.value("verdicts", json::array())) {
    const std::string account = text_of(verdict, "account");
    text += fmt::format("verdict {}{}: {}\n", printable(text_of(verdict, "verdict")),
                        account.empty() ? "" : " on account " + printable(account),
                        printable(or_dash(text_of(verdict, "detail"))));
  }
  text += cause_lines(document);
  for (const auto& split : parsed.value("split_keys", json::array())) {
    text += fmt::format("split key {}: written through {} ({}) and {} ({}), so its order is not known\n",
                        printable(text_of(split, "key")), printable(text_of(split, "first_gateway")),
                        printable(text_of(split, "first_exchange")), printable(text_of(split, "second_gateway")),
                        printable(text_of(split, "second_exchange")));
  }
  text += "\n" + request_text(exchange, header) + "\n";
  Table sides({"", "LEGACY", "MODERN"});
  const json &legacy = leg_of(header, "legacy"), &modern = leg_of(header, "modern");
  sides.add({"status", status_text(exchange, legacy, "legacy"), status_text(exchange, modern, "modern")});
  sides.add({"time", milliseconds_text(legacy), milliseconds_text(modern)});
  sides.add({"balance", or_dash(text_of(exchange, "legacy_balance")), or_dash(text_of(exchange, "modern_balance"))});
  text += sides.render() + "\n" + posting_lines(document) + differences_text(header);
  return text + bodies(text_of(exchange, "legacy_body"), text_of(exchange, "modern_body"), ignored);
}

}  // namespace phoenix::orchestrator::cli
