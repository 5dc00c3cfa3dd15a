#include "arbiter/accepted_rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

namespace phoenix::arbiter {
namespace {

std::optional<int> digits_of(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size() && text.front() != '-';
  return whole ? std::optional(value) : std::nullopt;
}

}  // namespace

Result<std::int64_t> end_of_day_us(std::string_view date) {
  using namespace std::chrono;
  const auto wrong = [&] { return invalid_input(fmt::format("'{}' is no date like 2027-03-31", date.substr(0, 40))); };
  if (date.size() != 10 || date[4] != '-' || date[7] != '-') return wrong();
  const auto y = digits_of(date.substr(0, 4)), m = digits_of(date.substr(5, 2)), d = digits_of(date.substr(8, 2));
  if (!y || !m || !d) return wrong();
  const year_month_day day{year{*y}, month{static_cast<unsigned>(*m)}, std::chrono::day{static_cast<unsigned>(*d)}};
  if (!day.ok()) return wrong();
  return duration_cast<microseconds>((sys_days{day} + days{1}).time_since_epoch()).count();
}

AcceptedRuleCounts operator+(AcceptedRuleCounts a, const AcceptedRuleCounts& b) {
  a.matched += b.matched;
  a.consequences += b.consequences;
  a.refused += b.refused;
  a.errors += b.errors;
  a.expired += b.expired;
  if (a.last_error.empty()) a.last_error = b.last_error;
  a.last_matched_us = std::max(a.last_matched_us, b.last_matched_us);
  if (a.active_since_us == 0 || (b.active_since_us != 0 && b.active_since_us < a.active_since_us)) {
    a.active_since_us = b.active_since_us;
  }
  // Of the shard that matched last: others may never see what the rule is for.
  a.exchanges_since_match = std::min(a.exchanges_since_match, b.exchanges_since_match);
  return a;
}

std::string encode(const AcceptedCounts& counts) {
  auto document = nlohmann::json::object();
  for (const auto& [id, c] : counts) {
    document[id] = {{"matched", c.matched},
                    {"consequences", c.consequences},
                    {"refused", c.refused},
                    {"errors", c.errors},
                    {"expired", c.expired},
                    {"last_error", c.last_error},
                    {"last_matched_us", c.last_matched_us},
                    {"active_since_us", c.active_since_us},
                    {"exchanges_since_match", c.exchanges_since_match}};
  }
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<AcceptedCounts> decode_accepted_counts(std::string_view text) {
  AcceptedCounts counts;
  try {
    const auto document = nlohmann::json::parse(text);
    for (const auto& [id, c] : document.items()) {
      counts[id] = {c.at("matched"),         c.at("consequences"),    c.at("refused"),
                    c.at("errors"),          c.at("expired"),         c.at("last_error"),
                    c.at("last_matched_us"), c.at("active_since_us"), c.at("exchanges_since_match")};
    }
  } catch (const nlohmann::json::exception& e) {
    return invalid_input(fmt::format("counts of accepted changes: {}", e.what()));
  }
  return counts;
}

}  // namespace phoenix::arbiter
