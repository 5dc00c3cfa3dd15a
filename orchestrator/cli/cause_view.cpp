#include "orchestrator/cli/cause_view.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "orchestrator/cli/table.hpp"

namespace phoenix::orchestrator::cli {
namespace {

using nlohmann::json;

/// A member as text, whatever its type; empty when absent.
std::string text_of(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null()) return "";
  return printable(it->is_string() ? it->get<std::string>() : it->dump(-1, ' ', false, json::error_handler_t::replace));
}

/// A member of an object, or an empty object or array.
json member(const json& object, const char* name, json when_absent) {
  const auto it = object.is_object() ? object.find(name) : object.end();
  return it == object.end() || it->type() != when_absent.type() ? when_absent : *it;
}

json header_of(const json& document) {
  return member(member(document, "exchange", json::object()), "header", json::object());
}

/// What a side posted, and in how many transactions where it should have been one.
std::string posted(const json& leg) {
  const std::string delta = text_of(leg, "delta");
  if (delta.empty()) return "-";
  const std::string times = text_of(leg, "transactions");
  return times.empty() || times == "1" ? delta : fmt::format("{} in {} transactions", delta, times);
}

std::string or_dash(std::string text) {
  return text.empty() ? "-" : text;
}

}  // namespace

std::string render_groups(const std::string& document) {
  const json parsed = json::parse(document, nullptr, false);
  const json groups = member(parsed, "groups", json::array());
  std::string text;
  for (const auto& group : groups) {
    text += fmt::format("{}\n    slice {}, {} to {}, for example {}\n", text_of(group, "sentence"),
                        text_of(group, "slice"), text_of(group, "first_time").substr(0, 19),
                        text_of(group, "last_time").substr(0, 19), text_of(group, "last_exchange"));
  }
  return text.empty() ? "no mismatches\n" : text;
}

std::string render_noise(const std::string& document) {
  const json parsed = json::parse(document, nullptr, false);
  Table table({"SLICE", "ROUTE", "FIELD", "DIFFERS", "OF", "EXAMPLE", "PROPOSAL"});
  for (const auto& route : member(parsed, "noise", json::array())) {
    for (const auto& field : member(route, "fields", json::array())) {
      table.add({text_of(route, "slice"), text_of(route, "route"), text_of(field, "path"), text_of(field, "differing"),
                 text_of(route, "repeats"), text_of(field, "first") + " / " + text_of(field, "second"),
                 or_dash(text_of(field, "proposal"))});
    }
  }
  return table.empty() ? "legacy answers alike when it is asked twice, or no route says calibrate\n" : table.render();
}

std::string cause_lines(const std::string& document) {
  const json parsed = json::parse(document, nullptr, false);
  std::string text;
  std::set<std::string> causes;
  for (const auto& verdict : member(parsed, "verdicts", json::array())) {
    const std::string cause = text_of(verdict, "cause"), detail = text_of(verdict, "cause_detail");
    if (cause.empty()) continue;
    causes.insert(cause);
    text += fmt::format("cause {}{}{}\n", cause, detail.empty() ? "" : ": ", detail);
  }
  for (const auto& group : member(parsed, "groups", json::array())) {
    if (causes.contains(text_of(group, "cause"))) text += fmt::format("group {}\n", text_of(group, "sentence"));
  }
  return text;
}

std::string posting_lines(const std::string& document) {
  const json header = header_of(json::parse(document, nullptr, false));
  std::string text;
  for (const auto& posting : member(header, "postings", json::array())) {
    const json legacy = member(posting, "legacy", json::object()), modern = member(posting, "modern", json::object());
    Table table({"POSTED TO " + text_of(posting, "account"), "LEGACY", "MODERN"});
    table.add({"amount", posted(legacy), posted(modern)});
    for (const char* row : {"before", "after", "position"})
      table.add({row, or_dash(text_of(legacy, row)), or_dash(text_of(modern, row))});
    text += table.render();
    const std::string gap = text_of(posting, "gap"), accepted = text_of(posting, "accepted");
    if (!gap.empty()) text += fmt::format("gap {}{}\n", gap, accepted.empty() ? "" : ", of which accepted " + accepted);
    text += "\n";
  }
  const std::string rule = text_of(header, "rule");
  return rule.empty() ? text : text + "rule " + rule + "\n\n";
}

}  // namespace phoenix::orchestrator::cli
