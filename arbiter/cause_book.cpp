#include "arbiter/cause_book.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/model/traffic_policy.hpp"

namespace phoenix::arbiter {
namespace {

using Kind = JsonValue::Kind;

constexpr std::uint64_t kEnoughToTell = 3;  // labels without alternative, before they settle one that has some
constexpr const char* kOthers = "(other fields)";

bool is_labelled(Verdict verdict) {
  return is_inconsistent(verdict) || verdict == Verdict::order_dependent;
}

bool in_array(std::string_view path) {
  return general_path(path) != path;
}

/// Text and truth values that may tell exchanges apart; what has too many values is given up later.
void add_attributes(const Fields& fields, const std::vector<std::string>& keys, Attributes& attributes) {
  for (const auto& field : fields) {
    if (field.kind != Kind::string && field.kind != Kind::boolean) continue;
    if (field.text.empty() || field.text.size() > AttributeCounts::kLongestValue || in_array(field.path)) continue;
    if (std::find(keys.begin(), keys.end(), field.text) != keys.end()) continue;
    std::string name = field.path.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    if (name.size() > AttributeCounts::kLongestValue) continue;
    const bool known = std::any_of(attributes.begin(), attributes.end(),
                                   [&](const auto& known_one) { return known_one.first == name; });
    if (!known) attributes.emplace_back(std::move(name), field.text);
  }
}

std::string rate_key(Side side, const std::string& base, const std::string& tier) {
  return fmt::format("{}|{}|{}", to_string(side), general_path(base), tier);
}

}  // namespace

std::optional<Cause> cause_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::missing_legacy:
    case Verdict::missing_modern:
      return Cause::missing_posting;
    case Verdict::duplicate:
      return Cause::duplicate_posting;
    case Verdict::order_dependent:
      return Cause::ordering;
    case Verdict::mismatch:
      return Cause::unexplained;
    default:
      return std::nullopt;
  }
}

std::optional<CauseFinding> CauseBook::decided(const ExchangeEvent& exchange, Verdict verdict,
                                               const std::vector<ValueDifference>& differences,
                                               const PostingFacts& postings) {
  if (!postings.follows.empty()) return CauseFinding{Cause::carried, "", postings.follows, {}, std::nullopt};
  if (!is_labelled(verdict) && !is_consistent(verdict)) return std::nullopt;
  const RouteKey key{exchange.slice, exchange.route};
  Route& route = routes_[key];
  const std::uint64_t n = route.decided++;
  changed_routes_.insert(key);
  learn_account(exchange);
  const bool sampled = n < kLookAtAll || n % kSampleEvery == 0;
  if (!is_labelled(verdict) && !sampled) return std::nullopt;

  MismatchFacts facts = facts_of(exchange, verdict, differences);
  facts.attributes = account_attributes(exchange);
  const Attributes attributes = attributes_of(exchange, facts);
  if (sampled) route.attributes.count(attributes, n < kLookAtAll ? 1 : kSampleEvery);
  if (!is_labelled(verdict)) {
    learn_rates(route, facts);
    return std::nullopt;
  }
  facts.posted = postings.posted;
  facts.posted_scale = postings.scale;
  facts.inferred = postings.inferred;
  facts.balance_moved = postings.balance_moved;
  facts.order_proof = postings.order_proof;
  facts.other_account = postings.other_account;
  CauseFinding finding = label(route, facts);
  if (is_inconsistent(verdict)) group(exchange, finding, attributes);
  return finding;
}

const BalanceRules& CauseBook::balance_rules(const std::string& slice, const std::string& route) const {
  static const BalanceRules kNone;
  const auto at = balance_rules_.find({slice, route});
  return at == balance_rules_.end() ? kNone : at->second;
}

BalanceRules& CauseBook::learn_balance_rules(const std::string& slice, const std::string& route) {
  changed_balance_rules_.emplace(slice, route);
  return balance_rules_[{slice, route}];
}

/// What an account's own document says of it: reads of one account, and its creation.
void CauseBook::learn_account(const ExchangeEvent& exchange) {
  if (exchange.keys.size() != 1 || (exchange.write && !creating_routes_.contains(exchange.route))) return;
  const std::string& account = exchange.keys.front().key;
  const bool known = accounts_.contains(account);
  if (!known && accounts_.size() >= kMostAccounts) return;
  // What is known is looked at again with the samples of its route.
  if (known && routes_[{exchange.slice, exchange.route}].decided % kSampleEvery != 0) return;
  const auto& legacy = exchange.leg(Side::legacy);
  if (legacy.truncated || legacy.status < 200 || legacy.status >= 300) return;
  Fields fields = fields_of(legacy.headers, legacy.body);
  std::erase_if(fields, [](const auto& field) { return field.path.find('/', 1) != std::string::npos; });
  Attributes stated;
  add_attributes(fields, {account}, stated);
  account_names_.count(stated, 1);
  account_names_changed_ = true;
  std::erase_if(stated, [&](const auto& attribute) {
    return account_names_.is_given_up(attribute.first) || !account_names_.names().contains(attribute.first);
  });
  if (known && accounts_.at(account) == stated) return;
  accounts_[account] = std::move(stated);
  changed_accounts_.insert(account);
}

Attributes CauseBook::account_attributes(const ExchangeEvent& exchange) const {
  if (exchange.keys.empty()) return {};
  const auto at = accounts_.find(exchange.keys.front().key);
  if (at == accounts_.end()) return {};
  Attributes attributes = at->second;
  std::erase_if(attributes, [&](const auto& attribute) { return account_names_.is_given_up(attribute.first); });
  return attributes;
}

Attributes CauseBook::attributes_of(const ExchangeEvent& exchange, const MismatchFacts& facts) const {
  Attributes attributes{{"served by", std::string(to_string(exchange.serving_side))},
                        {"hour (UTC)", fmt::format("{:02}", exchange.completed_at_us / 3'600'000'000 % 24)},
                        {"overlap", exchange.overlap ? "true" : "false"}};
  for (const auto& attribute : facts.attributes) attributes.push_back(attribute);
  add_attributes(facts.request, facts.keys, attributes);
  add_attributes(facts.legacy, facts.keys, attributes);
  add_attributes(facts.modern, facts.keys, attributes);
  return attributes;
}

void CauseBook::learn_rates(Route& route, const MismatchFacts& facts) {
  const std::string tier = facts.attribute("tier");
  for (auto& [path, tracked] : route.paths) {
    for (const Side side : {Side::legacy, Side::modern}) {
      const auto stated = stated_amount(facts, side == Side::modern, path, tracked.scale);
      if (!stated) continue;
      for (const auto& base : stated->bases) {
        const auto key = rate_key(side, base.path, tier);
        if (tracked.rates.size() >= kMostRates && !tracked.rates.contains(key)) continue;
        tracked.rates[key].observe(base.legacy, stated->amount);
      }
    }
  }
}

CauseFinding CauseBook::label(Route& route, const MismatchFacts& facts) {
  // The first amounts that differ at a path begin the learning of its rates; from then on matches teach them, too.
  for (const auto& difference : facts.differences) {
    const std::string path = general_path(difference.path);
    if (route.paths.size() >= kMostPaths || route.paths.contains(path)) continue;
    if (const auto pair = amount_pair(facts, difference)) route.paths[path].scale = pair->scale;
  }
  learn_rates(route, facts);
  const std::string tier = facts.attribute("tier");
  RateLookup known_rates;
  known_rates.votes = [&](Side side, const std::string& path, const std::string& base) -> const RateVotes* {
    const auto at = route.paths.find(general_path(path));
    if (at == route.paths.end()) return nullptr;
    const auto votes = at->second.rates.find(rate_key(side, base, tier));
    return votes == at->second.rates.end() ? nullptr : &votes->second;
  };
  known_rates.used = [&](const std::string& path, const std::string& base, std::int64_t rate) {
    const auto at = route.paths.find(general_path(path));
    if (at == route.paths.end()) return false;
    return std::any_of(at->second.rates.begin(), at->second.rates.end(), [&](const auto& entry) {
      const auto rates = entry.second.supported();
      return entry.first.find("|" + general_path(base) + "|") != std::string::npos &&
             std::find(rates.begin(), rates.end(), rate) != rates.end();
    });
  };
  CauseFinding finding = classify(facts, known_rates);
  const auto tracked = route.paths.find(finding.path);
  if (tracked == route.paths.end() || finding.cause == Cause::unexplained) return finding;
  // What this exchange alone cannot tell, the others at the same field can.
  auto& certainly = tracked->second.certainly;
  const Cause first_guess = finding.cause;
  const auto known = [&](Cause cause) {
    const auto at = certainly.find(std::string(to_string(cause)));
    return at == certainly.end() ? 0 : at->second;
  };
  for (auto& alternative : finding.alternatives) {
    if (known(alternative) >= kEnoughToTell && known(alternative) > known(finding.cause))
      std::swap(finding.cause, alternative);
  }
  // At a tie half even and doubles look like truncation; but truncation shows away from ties far more often.
  // A discount taken after rounding is an intermediate rounding: the same explanation by another name.
  const bool certain = std::all_of(finding.alternatives.begin(), finding.alternatives.end(), [&](Cause cause) {
    return cause == Cause::truncation || (cause == Cause::intermediate_precision && finding.cause == Cause::fee_tier);
  });
  if (certain && finding.cause == first_guess) ++certainly[std::string(to_string(finding.cause))];
  return finding;
}

void CauseBook::group(const ExchangeEvent& exchange, const CauseFinding& finding, const Attributes& attributes) {
  GroupKey key{exchange.slice, exchange.route, finding.cause, finding.path};
  if (groups_.size() >= kMostGroups && !groups_.contains(key)) std::get<3>(key) = kOthers;
  groups_[key].add(exchange.exchange_id, exchange.completed_at_us, attributes, finding.amount);
  changed_groups_.insert(std::move(key));
}

}  // namespace phoenix::arbiter
