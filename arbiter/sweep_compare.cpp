#include "arbiter/sweep_compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace phoenix::arbiter {
namespace {

constexpr std::array kFindingNames{"again",   "equal",  "rebased",    "explained", "undetected",
                                   "changed", "unseen", "unreadable", "busy"};
constexpr int kMaxScale = 9;

bool readable(const LedgerComparison::Balance& balance) {
  return !balance.exists || Decimal::parse(balance.amount).has_value();
}

/// In units of 10^-scale.
std::optional<std::int64_t> units_of(const LedgerComparison::Balance& balance, int scale) {
  if (!balance.exists) return 0;
  const auto amount = Decimal::parse(balance.amount);
  if (!amount) return std::nullopt;
  const auto units = amount->to_minor(scale);
  return units ? std::optional(*units) : std::nullopt;
}

bool touched(const KeyFacts& key, const StreamFacts& facts, std::int64_t low_us) {
  return key.open || key.touched_us >= low_us - kClockSlackUs || facts.any_key_touched_us >= low_us - kClockSlackUs;
}

SweepFinding classify(const Candidate& candidate, const BalancePair& pair, const KeyFacts& key) {
  if (!readable(pair[0]) || !readable(pair[1])) return SweepFinding::unreadable;
  if (!pair[0].exists && !pair[1].exists) return SweepFinding::equal;
  if (key.unknown) return SweepFinding::rebased;
  if (equal(pair)) return candidate.rebase ? SweepFinding::rebased : SweepFinding::equal;
  const auto difference = difference_of(pair);
  if (!difference) return SweepFinding::unreadable;
  if (key.known_to_differ && key.gap == *difference) return SweepFinding::explained;
  if (!key.seen) return SweepFinding::unseen;
  return key.known_to_differ ? SweepFinding::changed : SweepFinding::undetected;
}

}  // namespace

bool same_digest(const RangeDigest& legacy, const RangeDigest& modern) {
  return legacy == modern && Decimal::parse(legacy.sum).has_value();
}

void add_row(LedgerRows& rows, std::string key, LedgerComparison::Balance balance) {
  const auto [at, added] = rows.try_emplace(std::move(key), std::move(balance));
  if (!added) at->second.amount = kTwice;
}

BalancePair pair_of(const std::string& key, const LedgerRows& legacy, const LedgerRows& modern) {
  BalancePair pair;
  if (const auto at = legacy.find(key); at != legacy.end()) pair[0] = at->second;
  if (const auto at = modern.find(key); at != modern.end()) pair[1] = at->second;
  return pair;
}

bool equal(const BalancePair& pair) {
  return pair[0] == pair[1] && readable(pair[0]);
}

std::map<std::string, BalancePair> differing_rows(const LedgerRows& legacy, const LedgerRows& modern) {
  std::map<std::string, BalancePair> different;
  for (const auto* rows : {&legacy, &modern}) {
    for (const auto& [key, balance] : *rows) {
      auto pair = pair_of(key, legacy, modern);
      if (!equal(pair)) different.emplace(key, std::move(pair));
    }
  }
  return different;
}

std::optional<Decimal> difference_of(const BalancePair& pair) {
  for (int scale = 0; scale <= kMaxScale; ++scale) {
    const auto legacy = units_of(pair[0], scale);
    const auto modern = units_of(pair[1], scale);
    std::int64_t difference = 0;
    if (!legacy || !modern) continue;
    if (__builtin_sub_overflow(*modern, *legacy, &difference)) return std::nullopt;
    return Decimal::from_minor(difference, scale);
  }
  return std::nullopt;
}

std::string_view to_string(SweepFinding finding) {
  return kFindingNames.at(static_cast<std::size_t>(finding));
}

bool is_difference(SweepFinding finding) {
  return finding == SweepFinding::undetected || finding == SweepFinding::changed || finding == SweepFinding::unseen;
}

bool settled(const StreamFacts& facts, Window window) {
  return facts.settled_until_us == INT64_MAX || facts.settled_until_us > window.high_us + kClockSlackUs;
}

SweepFinding judge_candidate(Candidate& candidate, const BalancePair& pair, Window now, const StreamFacts& facts,
                             int most_tries) {
  const auto at = facts.keys.find(candidate.key);
  const KeyFacts key = at == facts.keys.end() ? KeyFacts{} : at->second;
  const bool first = !candidate.seen.has_value();
  const std::int64_t since_us = first ? now.low_us : candidate.window.low_us;
  const bool moved = !first && *candidate.seen != pair;
  // Sides that agree are no difference, whatever moves. To begin anew with them, an unknown account must be at rest.
  if (!candidate.rebase && !key.unknown && equal(pair)) return SweepFinding::equal;
  if (first || moved || touched(key, facts, since_us)) {
    if (!first && ++candidate.tries >= most_tries) return SweepFinding::busy;
    candidate.seen = pair;
    candidate.window = now;
    return SweepFinding::again;
  }
  return classify(candidate, pair, key);
}

std::string add_sums(const std::string& a, const std::string& b) {
  constexpr int kDigits = 6;  // finer ones are no money; the sum is a cheap check and shown as such
  const auto first = Decimal::parse(a);
  const auto second = Decimal::parse(b);
  for (int scale = 0; first && second && scale <= kDigits; ++scale) {
    const auto x = first->to_minor(scale);
    const auto y = second->to_minor(scale);
    std::int64_t sum = 0;
    if (!x || !y || __builtin_add_overflow(*x, *y, &sum)) continue;
    return Decimal::from_minor(sum, scale).to_string();
  }
  return "NaN";
}

std::int64_t rest_us(std::int64_t rows, std::int64_t took_us, int rows_per_second) {
  constexpr std::int64_t kSecondUs = 1'000'000;
  return std::max<std::int64_t>(0, rows * kSecondUs / rows_per_second - took_us);
}

std::string encode(const SweepProgress& p) {
  nlohmann::json json{{"scanned", p.scanned},
                      {"chunks", p.chunks},
                      {"chunks_differing", p.chunks_differing},
                      {"estimated_rows", p.estimated_rows},
                      {"rows", p.rows},
                      {"sums", p.sums},
                      {"rows_fetched", p.rows_fetched},
                      {"database_us", p.database_us},
                      {"busy_us", p.busy_us},
                      {"found", p.found}};
  if (p.after_key) json["after_key"] = *p.after_key;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<SweepProgress> decode_sweep_progress(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    SweepProgress p;
    if (json.contains("after_key")) p.after_key = json["after_key"].get<std::string>();
    p.scanned = json.value("scanned", false);
    p.chunks = json.value("chunks", std::int64_t{0});
    p.chunks_differing = json.value("chunks_differing", std::int64_t{0});
    p.estimated_rows = json.value("estimated_rows", std::int64_t{0});
    p.rows = json.value("rows", p.rows);
    p.sums = json.value("sums", p.sums);
    p.rows_fetched = json.value("rows_fetched", p.rows_fetched);
    p.database_us = json.value("database_us", p.database_us);
    p.busy_us = json.value("busy_us", std::int64_t{0});
    p.found = json.value("found", p.found);
    return p;
  } catch (const nlohmann::json::exception& error) {
    return invalid_input(fmt::format("sweep's progress: {}", error.what()));
  }
}

}  // namespace phoenix::arbiter
