#include "arbiter/cause_classifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>

#include "core/model/decimal.hpp"

namespace phoenix::arbiter {
namespace {

using config::Normaliser;
using Kind = JsonValue::Kind;

CauseFinding finding(Cause cause, std::string_view path, std::string evidence, std::vector<Cause> alternatives = {}) {
  return {cause, general_path(path), std::move(evidence), std::move(alternatives), std::nullopt};
}

bool accepted(int status) {
  return status >= 200 && status < 300;
}

std::optional<CauseFinding> by_status(const MismatchFacts& facts) {
  const int legacy = facts.legacy_status, modern = facts.modern_status;
  const bool stated = std::any_of(facts.differences.begin(), facts.differences.end(),
                                  [](const auto& d) { return d.kind == DifferenceKind::status; });
  if (!stated) return std::nullopt;
  if (accepted(legacy) == accepted(modern))
    return finding(Cause::status, "", fmt::format("legacy answered {}, modern {}", legacy, modern));
  return finding(Cause::status, "",
                 fmt::format("{} accepted with {} what {} refused with {}", accepted(legacy) ? "legacy" : "modern",
                             accepted(legacy) ? legacy : modern, accepted(legacy) ? "modern" : "legacy",
                             accepted(legacy) ? modern : legacy));
}

// ---- postings ----

/// How many times over `amount` is: 2 to 10, else 0.
std::int64_t times(std::int64_t amount, std::int64_t once) {
  if (once == 0 || amount % once != 0) return 0;
  const std::int64_t n = amount / once;
  return n >= 2 && n <= 10 ? n : 0;
}

std::optional<CauseFinding> by_transactions(const MismatchFacts& facts) {
  if (facts.verdict == Verdict::missing_legacy || facts.verdict == Verdict::missing_modern) {
    return finding(Cause::missing_posting, "",
                   fmt::format("{} did not post", facts.verdict == Verdict::missing_legacy ? "legacy" : "modern"));
  }
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto& posted = facts.posted[index(side)];
    const auto& opposite = facts.posted[index(other(side))];
    if (posted.transactions.value_or(0) < 2 || opposite.transactions.value_or(1) >= *posted.transactions) continue;
    std::string text = fmt::format("{} posted the exchange {} times", to_string(side), *posted.transactions);
    if (posted.delta) text += ": " + format_minor(*posted.delta, facts.posted_scale);
    if (opposite.delta) {
      text += fmt::format(" ({}: {})", to_string(other(side)), format_minor(*opposite.delta, facts.posted_scale));
    }
    return finding(Cause::duplicate_posting, "", std::move(text));
  }
  if (facts.verdict == Verdict::duplicate) return finding(Cause::duplicate_posting, "", "posted more than once");
  return std::nullopt;
}

/// The amounts that legacy's answer states, and their sums in pairs: amount and fee.
std::vector<std::int64_t> stated_amounts(const MismatchFacts& facts) {
  std::vector<std::int64_t> amounts;
  for (const auto& field : facts.legacy) {
    const auto name = name_of(field.path);
    if (name.find("balance") != std::string_view::npos || name.ends_with("id")) continue;
    if (std::find(facts.keys.begin(), facts.keys.end(), field.text) != facts.keys.end()) continue;
    if (const auto amount = minor_of(field.text, facts.posted_scale); amount && *amount > 0) amounts.push_back(*amount);
  }
  const std::size_t stated = amounts.size();
  for (std::size_t i = 0; i < stated; ++i) {
    for (std::size_t j = i + 1; j < stated; ++j) amounts.push_back(amounts[i] + amounts[j]);
  }
  return amounts;
}

bool is_stated(const MismatchFacts& facts, std::int64_t delta) {
  const auto amounts = stated_amounts(facts);
  return std::find(amounts.begin(), amounts.end(), std::abs(delta)) != amounts.end();
}

std::optional<CauseFinding> by_deltas(const MismatchFacts& facts) {
  const auto &legacy = facts.posted[0].delta, &modern = facts.posted[1].delta;
  if (!legacy || !modern || *legacy == *modern) return std::nullopt;
  const auto money = [&](std::int64_t amount) { return format_minor(amount, facts.posted_scale); };
  const std::string both = fmt::format("legacy posted {}, modern {}", money(*legacy), money(*modern));
  const std::int64_t once = std::abs(*legacy) < std::abs(*modern) ? *legacy : *modern;
  const std::int64_t more = *legacy + *modern - once;
  if (facts.inferred && !is_stated(facts, once == 0 ? more : once)) return std::nullopt;
  if (once == 0) return finding(Cause::missing_posting, "", both);
  const auto n = times(more, once);
  if (n == 0) return std::nullopt;
  return finding(Cause::duplicate_posting, "",
                 fmt::format("{}: {} times as much on {}", both, n, more == *modern ? "modern" : "legacy"));
}

/// Answers alike, balances not: is what moved a whole number of the amounts that the answers state?
std::optional<CauseFinding> by_balance(const MismatchFacts& facts) {
  if (!facts.balance_moved || *facts.balance_moved == 0) return std::nullopt;
  for (const auto amount : stated_amounts(facts)) {
    const std::int64_t moved = std::abs(*facts.balance_moved);
    if (moved != amount && times(moved, amount) == 0) continue;
    // One time too many on one side looks like one missing on the other.
    return finding(Cause::duplicate_posting, "",
                   fmt::format("modern - legacy of the balance moved by {} x {}, which the answers state",
                               *facts.balance_moved / amount, format_minor(amount, facts.posted_scale)),
                   {Cause::missing_posting});
  }
  return std::nullopt;
}

/// Both sides posted another amount than the answers tell: a charge that no field states.
std::optional<CauseFinding> by_hidden_charge(const MismatchFacts& facts, const RateLookup& rates) {
  const auto &legacy = facts.posted[0].delta, &modern = facts.posted[1].delta;
  if (facts.inferred || !legacy || !modern || *legacy == *modern) return std::nullopt;
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto posted = *facts.posted[index(side)].delta, opposite = *facts.posted[index(other(side))].delta;
    if (!is_stated(facts, opposite) || is_stated(facts, posted)) continue;
    return finding(Cause::unexplained, "",
                   fmt::format("{} posted {}, not the {} that both answered", to_string(side),
                               format_minor(posted, facts.posted_scale), format_minor(opposite, facts.posted_scale)));
  }
  AmountPair pair;
  pair.path = "/posting";
  pair.scale = facts.posted_scale;
  for (const auto& field : facts.request) {
    const auto amount = minor_of(field.text, pair.scale);
    const bool key = std::find(facts.keys.begin(), facts.keys.end(), field.text) != facts.keys.end();
    if (!amount || *amount <= 0 || key) continue;
    pair.bases = {{field.path, *amount, *amount, false}};
    pair.legacy = std::abs(std::abs(*legacy) - *amount);
    pair.modern = std::abs(std::abs(*modern) - *amount);
    auto found = explain_amounts(pair, facts.attribute("tier"), rates);
    found.path.clear();
    return found;
  }
  return std::nullopt;
}

// ---- fields ----

using Day = std::chrono::sys_days;

int number(std::string_view text, std::size_t at, std::size_t length) {
  int value = -1;
  if (at + length > text.size()) return -1;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + length, value);
  return error == std::errc() && end == text.data() + at + length ? value : -1;
}

/// The days that a date may mean: 2026-03-04, 20260304, 04.03.2026, 04/03/2026 (day or month first), and a number of
/// five digits as days since 1970.
std::vector<Day> days_of(std::string_view text) {
  std::vector<Day> days;
  const auto add = [&](int year, int month, int day) {
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (year > 1900 && year < 2200 && month > 0 && day > 0 && date.ok()) days.emplace_back(date);
  };
  if (const int since_1970 = text.size() == 5 ? number(text, 0, 5) : -1; since_1970 >= 10'000)
    days.emplace_back(std::chrono::days(since_1970));
  if (text.size() == 8) add(number(text, 0, 4), number(text, 4, 2), number(text, 6, 2));
  if (text.size() != 10) return days;
  if (text[4] == '-' && text[7] == '-') add(number(text, 0, 4), number(text, 5, 2), number(text, 8, 2));
  if ((text[2] == '.' && text[5] == '.') || (text[2] == '/' && text[5] == '/')) {
    add(number(text, 6, 4), number(text, 3, 2), number(text, 0, 2));
    if (text[2] == '/') add(number(text, 6, 4), number(text, 0, 2), number(text, 3, 2));
  }
  return days;
}

/// Seconds since 1970 of a time stamp with its zone.
std::optional<std::int64_t> instant_of(const std::string& text) {
  const auto form = normal_form(Normaliser::timestamp, text);
  if (!form) return std::nullopt;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(form->data(), form->data() + form->size(), seconds);
  return error == std::errc() ? std::optional(seconds) : std::nullopt;
}

std::optional<CauseFinding> by_date(const MismatchFacts& facts, const std::string& path, const std::string& legacy,
                                    const std::string& modern) {
  const Day today = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(facts.event_time_us)));
  const auto minutes = facts.event_time_us / 60'000'000 % 1'440;
  const std::string at = fmt::format("at {:02}:{:02} UTC", minutes / 60, minutes % 60);
  for (const auto left : days_of(legacy)) {
    for (const auto right : days_of(modern)) {
      if (std::abs((left - right).count()) != 1) continue;
      const bool near = left == today || right == today;
      const std::string text = fmt::format("value dates a day apart {}: legacy {}, modern {}", at, legacy, modern);
      if (near) return finding(Cause::cut_off, path, text);
      return finding(Cause::unexplained, path, text + "; neither is the day of the exchange", {Cause::cut_off});
    }
  }
  const auto left = instant_of(legacy), right = instant_of(modern);
  if (!left || !right) return std::nullopt;
  const std::int64_t apart = std::abs(*left - *right);
  if (apart == 0 || apart % 900 != 0 || apart > 86'400) return std::nullopt;  // zones stand quarters of an hour apart
  return finding(Cause::cut_off, path,
                 fmt::format("{}: {:g} hours apart, as local time and UTC", at, static_cast<double>(apart) / 3'600));
}

/// A date as a number, by the name of its field: an amount might look the same.
std::optional<CauseFinding> by_day_number(const MismatchFacts& facts, const ValueDifference& difference) {
  const auto *left = field_at(facts.legacy, difference.path), *right = field_at(facts.modern, difference.path);
  const auto name = name_of(difference.path);
  if (left == nullptr || right == nullptr || left->kind != Kind::number) return std::nullopt;
  if (name.find("day") == std::string_view::npos && name.find("date") == std::string_view::npos) return std::nullopt;
  return by_date(facts, difference.path, left->text, right->text);
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

/// What makes one value of two spellings; empty: nothing.
std::string same_value(const StatedField& legacy, const StatedField& modern) {
  const auto &left = legacy.text, &right = modern.text;
  const auto a = Decimal::parse(left), b = Decimal::parse(right);
  if (a && b && *a == *b) return legacy.kind == modern.kind ? "number format" : "number and text";
  if (left == right) return "types";
  if (trimmed(left) == trimmed(right)) return "white space";
  for (const auto& [normaliser, name] : {std::pair{Normaliser::timestamp, "date format"},
                                         {Normaliser::uuid, "UUID format"},
                                         {Normaliser::letter_case, "case"}}) {
    const auto x = normal_form(normaliser, left), y = normal_form(normaliser, right);
    if (x && y && *x == *y) return name;
  }
  const auto days = days_of(left);
  for (const auto day : days_of(right)) {
    if (std::find(days.begin(), days.end(), day) != days.end()) return "date format";
  }
  return {};
}

std::optional<CauseFinding> by_format(const MismatchFacts& facts, const ValueDifference& difference) {
  const auto* left = field_at(facts.legacy, difference.path);
  const auto* right = field_at(facts.modern, difference.path);
  const auto empty = [](const StatedField* field) {
    return field != nullptr && (field->kind == Kind::null || (field->kind == Kind::string && field->text.empty()));
  };
  if ((left == nullptr && empty(right)) || (right == nullptr && empty(left)) || (empty(left) && empty(right))) {
    return finding(Cause::type_format, difference.path, "absent, null and empty mean the same");
  }
  if (left == nullptr || right == nullptr) return std::nullopt;
  const std::string how = same_value(*left, *right);
  if (how.empty()) return std::nullopt;
  return finding(Cause::type_format, difference.path,
                 fmt::format("the same value, another spelling ({}): legacy {}, modern {}", how,
                             one_line(left->text.substr(0, 80)), one_line(right->text.substr(0, 80))));
}

CauseFinding by_field(const MismatchFacts& facts, const ValueDifference& difference, const RateLookup& rates) {
  if (difference.kind == DifferenceKind::order) {
    return finding(Cause::ordering, difference.path, "the same elements in another order");
  }
  if (difference.kind != DifferenceKind::header && difference.kind != DifferenceKind::body) {
    if (auto found = by_format(facts, difference)) return *found;
    if (auto found = by_day_number(facts, difference)) return *found;
    if (const auto pair = amount_pair(facts, difference)) return explain_amounts(*pair, facts.attribute("tier"), rates);
    const auto* left = field_at(facts.legacy, difference.path);
    const auto* right = field_at(facts.modern, difference.path);
    if (left != nullptr && right != nullptr) {
      if (auto found = by_date(facts, difference.path, left->text, right->text)) return *found;
    }
    if (difference.kind == DifferenceKind::type)
      return finding(Cause::type_format, difference.path,
                     fmt::format("another type: legacy {}, modern {}", difference.legacy, difference.modern));
  }
  return finding(Cause::unexplained, difference.path, "");
}

}  // namespace

CauseFinding classify(const MismatchFacts& facts, const RateLookup& rates) {
  if (!facts.order_proof.empty() || facts.verdict == Verdict::order_dependent) {
    return finding(
        Cause::ordering, "",
        facts.order_proof.empty() ? "both sides applied the same writes in another order" : facts.order_proof);
  }
  if (auto found = by_status(facts)) return *found;
  if (!facts.other_account.empty()) return finding(Cause::wrong_account, "", facts.other_account);
  if (auto found = by_transactions(facts)) return *found;
  std::optional<CauseFinding> unexplained;
  for (const auto& difference : facts.differences) {
    auto found = by_field(facts, difference, rates);
    if (found.cause != Cause::unexplained) return found;
    if (!unexplained) unexplained = std::move(found);
  }
  if (!unexplained) {
    if (auto found = by_deltas(facts)) return *found;
    if (auto found = by_balance(facts)) return *found;
    if (auto found = by_hidden_charge(facts, rates)) return *found;
    unexplained = finding(Cause::unexplained, "", facts.balance_moved ? "only the balance differs" : "");
  }
  if (facts.overlap) unexplained->alternatives.push_back(Cause::ordering);
  return *unexplained;
}

}  // namespace phoenix::arbiter
