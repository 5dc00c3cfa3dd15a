#include "arbiter/response_differ.hpp"

#include <xxhash.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/fuzz/json_reference.hpp"
#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {
namespace {

using arbiter::CompareRules;
using arbiter::ResponseDifference;
using nlohmann::json;
using Outcome = ResponseDifference::Outcome;

struct Switches {
  bool other_status, legacy_cut, modern_cut, legacy_is_text, rules;
  explicit Switches(char c)
      : other_status((c & 1) != 0),
        legacy_cut((c & 2) != 0),
        modern_cut((c & 4) != 0),
        legacy_is_text((c & 8) != 0),
        rules((c & 16) != 0) {}
};

LegRecord leg_of(std::string_view body, bool cut, bool text, int status) {
  LegRecord leg;
  leg.outcome = LegOutcome::ok;
  leg.status = status;
  leg.headers = {{"Content-Type", text ? "text/plain" : "application/json; charset=utf-8"}};
  leg.body_bytes = body.size();
  leg.body_hash = XXH3_64bits(body.data(), body.size());
  leg.truncated = cut;
  leg.body = body.substr(0, cut ? body.size() / 2 : body.size());
  return leg;
}

ResponseDifference compare(const LegRecord& legacy, const LegRecord& modern, bool with_rules) {
  config::CompareConfig config;
  if (with_rules) {
    config.ignore = {"/trace", "/items/*/at", "/a~1b"};
    config.balance = "/balance";
    config.normalise = {{"/at", config::Normaliser::timestamp}, {"/id", config::Normaliser::uuid}};
    config.tolerance = {{"/rate", "0.5"}};
    config.keyed = {{"/rows", "id"}};
  }
  return compare_responses(legacy, modern, CompareRules::from_config(config), {"balance_after"});
}

void check_same(const LegRecord& leg, bool with_rules) {
  const auto result = compare(leg, leg, with_rules);
  check(result.outcome == Outcome::equal && result.values.empty() && result.summary().empty(),
        "an answer equals itself");
}

void check_consistent(const ResponseDifference& result) {
  const std::string summary = result.summary();
  check(result.values.size() <= ResponseDifference::kMaxReported, "a bounded report");
  check(result.not_reported == 0 || result.values.size() == ResponseDifference::kMaxReported,
        "nothing is left out early");
  check((result.outcome == Outcome::equal) == summary.empty(), "a difference is named, and nothing else");
  check(result.outcome == Outcome::different || !result.same_apart_from_order, "order is a kind of difference");
  check(std::none_of(summary.begin(), summary.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
        "a summary is one line");
}

void check_symmetric(const ResponseDifference& there, const ResponseDifference& back) {
  check(there.outcome == back.outcome && there.same_apart_from_order == back.same_apart_from_order &&
            there.not_reported == back.not_reported && there.values.size() == back.values.size(),
        "the sides may be exchanged");
  for (std::size_t i = 0; i < there.values.size(); ++i)
    check(there.values[i].path == back.values[i].path && there.values[i].legacy == back.values[i].modern &&
              there.values[i].modern == back.values[i].legacy,
          "the same values, exchanged");
  check(there.legacy_balance == back.modern_balance && there.modern_balance == back.legacy_balance,
        "the same balances, exchanged");
}

}  // namespace

void response_differ(std::string_view input) {
  if (input.empty()) return;
  const Switches on(input.front());
  input.remove_prefix(1);
  constexpr std::string_view kBetween = "\n---\n";
  const std::size_t cut = std::min(input.find(kBetween), input.size());
  const std::string_view legacy_body = input.substr(0, cut);
  const std::string_view modern_body = input.substr(std::min(cut + kBetween.size(), input.size()));
  const LegRecord legacy = leg_of(legacy_body, on.legacy_cut, on.legacy_is_text, 200);
  const LegRecord modern = leg_of(modern_body, on.modern_cut, false, on.other_status ? 201 : 200);

  check_same(legacy, on.rules);
  check_same(modern, on.rules);
  const auto result = compare(legacy, modern, on.rules);
  check_consistent(result);
  check_symmetric(result, compare(modern, legacy, on.rules));
  const auto strict = compare(legacy, modern, false);
  check(strict.outcome != Outcome::equal || result.outcome == Outcome::equal, "rules excuse, they do not accuse");
  check(!on.other_status || result.outcome == Outcome::different, "statuses must agree");
  check(legacy_body != modern_body || on.other_status || result.outcome == Outcome::equal, "equal bytes are equal");
  if (strict.outcome != Outcome::equal || legacy_body == modern_body) return;
  const bool both_json = read_json_tree(legacy_body) && read_json_tree(modern_body) && !on.legacy_is_text;
  check(both_json && json::parse(legacy_body) == json::parse(modern_body),
        "other bytes are equal only if the reference reads the same document");
}

}  // namespace phoenix::fuzz
