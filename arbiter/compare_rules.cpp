#include "arbiter/compare_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>

namespace phoenix::arbiter {
namespace {

using config::Normaliser;

bool covers(const JsonPath& rule, const JsonPath& path) {
  if (rule.size() != path.size()) return false;
  for (std::size_t i = 0; i < rule.size(); ++i) {
    if (rule[i] != "*" && rule[i] != path[i]) return false;
  }
  return true;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return lower(c); });
  return result;
}

/// Takes one field of a timestamp after another; once something is not there, everything fails.
class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}

  int number(std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_.empty() || !is_digit(rest_.front())) return fail();
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }
  char one_of(std::string_view choices) {
    if (rest_.empty() || choices.find(rest_.front()) == std::string_view::npos) return static_cast<char>(fail());
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }
  /// Digits behind a point, without trailing zeros; none when there is no point.
  std::string fraction() {
    if (rest_.empty() || rest_.front() != '.') return {};
    rest_.remove_prefix(1);
    std::string digits;
    for (; !rest_.empty() && is_digit(rest_.front()); rest_.remove_prefix(1)) digits += rest_.front();
    if (digits.empty()) fail();
    digits.erase(digits.find_last_not_of('0') + 1);
    return digits;
  }
  [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }

 private:
  int fail() {
    good_ = false;
    return 0;
  }
  std::string_view rest_;
  bool good_ = true;
};

/// RFC 3339, section 5.6, a space allowed for the T. A time without offset is no instant, and leap seconds are left as
/// they are.
std::optional<std::string> instant(const std::string& text) {
  using namespace std::chrono;
  Fields fields(text);
  const int year_number = fields.number(4);
  fields.one_of("-");
  const int month_number = fields.number(2);
  fields.one_of("-");
  const int day_number = fields.number(2);
  fields.one_of("Tt ");
  const int hour = fields.number(2);
  fields.one_of(":");
  const int minute = fields.number(2);
  fields.one_of(":");
  const int second = fields.number(2);
  const std::string fraction = fields.fraction();
  const char zone = fields.one_of("Zz+-");
  int offset = 0;
  if (zone == '+' || zone == '-') {
    const int hours_ahead = fields.number(2);
    fields.one_of(":");
    const int minutes_ahead = fields.number(2);
    if (hours_ahead > 23 || minutes_ahead > 59) return std::nullopt;
    offset = (hours_ahead * 60 + minutes_ahead) * (zone == '+' ? 60 : -60);
  }
  const year_month_day date{year(year_number), month(static_cast<unsigned>(month_number)),
                            day(static_cast<unsigned>(day_number))};
  if (!fields.complete() || !date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::int64_t at =
      std::int64_t{sys_days(date).time_since_epoch().count()} * 86'400 + hour * 3'600 + minute * 60 + second - offset;
  return fmt::format("{}.{}", at, fraction);
}

/// RFC 9562, section 4; braces and the bare 32 digits are common besides.
std::optional<std::string> uuid(std::string_view text) {
  constexpr std::string_view kUrn = "urn:uuid:";
  if (lower(text.substr(0, kUrn.size())) == kUrn) {
    text.remove_prefix(kUrn.size());
  } else if (text.starts_with('{') && text.ends_with('}')) {
    text = text.substr(1, text.size() - 2);
  }
  if (text.size() != 32 && text.size() != 36) return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = text.size() == 36 && (i == 8 || i == 13 || i == 18 || i == 23);
    const char c = lower(text[i]);
    if (hyphen ? c != '-' : !is_digit(c) && (c < 'a' || c > 'f')) return std::nullopt;
    if (!hyphen) digits += c;
  }
  return digits;
}

}  // namespace

std::optional<std::string> normal_form(Normaliser normaliser, const std::string& text) {
  switch (normaliser) {
    case Normaliser::timestamp:
      return instant(text);
    case Normaliser::uuid:
      return uuid(text);
    case Normaliser::letter_case:
      return lower(text);
    case Normaliser::number:
      if (const auto number = Decimal::parse(text)) return number->to_string();
      return std::nullopt;
  }
  return std::nullopt;
}

CompareRules CompareRules::from_config(const config::CompareConfig& compare) {
  CompareRules rules;
  for (const auto& pointer : compare.ignore) rules.ignore.push_back(parse_json_path(pointer));
  if (!compare.balance.empty()) rules.balance = parse_json_path(compare.balance);
  for (const auto& [pointer, normaliser] : compare.normalise)
    rules.normalise.emplace_back(parse_json_path(pointer), normaliser);
  for (const auto& [pointer, most] : compare.tolerance) {
    if (const auto number = Decimal::parse(most)) rules.tolerance.emplace_back(parse_json_path(pointer), *number);
  }
  for (const auto& pointer : compare.unordered) rules.unordered.push_back(parse_json_path(pointer));
  for (const auto& [pointer, member] : compare.keyed) rules.keyed.emplace_back(parse_json_path(pointer), member);
  rules.headers = compare.headers;
  rules.status_class = compare.status_class;
  return rules;
}

bool CompareRules::ignores(const JsonPath& path) const {
  return std::any_of(ignore.begin(), ignore.end(), [&](const auto& rule) { return covers(rule, path); });
}

bool CompareRules::is_unordered(const JsonPath& path) const {
  return std::any_of(unordered.begin(), unordered.end(), [&](const auto& rule) { return covers(rule, path); });
}

std::string CompareRules::joined_by(const JsonPath& path) const {
  for (const auto& [rule, member] : keyed) {
    if (covers(rule, path)) return member;
  }
  return {};
}

std::optional<std::string> CompareRules::normalised(const JsonPath& path, const JsonValue& value) const {
  for (const auto& [rule, normaliser] : normalise) {
    const bool takes = value.kind == JsonValue::Kind::string ||
                       (value.kind == JsonValue::Kind::number && normaliser == Normaliser::number);
    if (!takes || !covers(rule, path)) continue;
    if (auto form = normal_form(normaliser, value.text)) {
      return std::to_string(static_cast<int>(normaliser)) + ":" + *form;
    }
  }
  return std::nullopt;
}

bool CompareRules::excuses(const JsonPath& path, const JsonValue& legacy, const JsonValue& modern) const {
  const auto left = normalised(path, legacy), right = normalised(path, modern);
  if (left && right && *left == *right) return true;
  if (legacy.kind != modern.kind && !(left && right)) return false;
  for (const auto& [rule, most] : tolerance) {
    if (!covers(rule, path)) continue;
    const auto a = Decimal::parse(legacy.text), b = Decimal::parse(modern.text);
    if (a && b && Decimal::within(*a, *b, most)) return true;
  }
  return false;
}

bool CompareRules::could_excuse_a_body() const {
  return !ignore.empty() || balance || !normalise.empty() || !tolerance.empty() || !unordered.empty() || !keyed.empty();
}

}  // namespace phoenix::arbiter
