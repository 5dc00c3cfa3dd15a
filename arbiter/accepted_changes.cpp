#include "arbiter/accepted_changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "arbiter/accepted_program.hpp"

namespace phoenix::arbiter {
namespace {

using Amounts = std::vector<std::pair<std::string, std::int64_t>>;
using Question = RuleProgram::Question;

const std::int64_t* amount_of(const Amounts& amounts, const std::string& account) {
  const auto at = std::lower_bound(amounts.begin(), amounts.end(), account,
                                   [](const auto& entry, const std::string& name) { return entry.first < name; });
  return at != amounts.end() && at->first == account ? &at->second : nullptr;
}

/// What a rule's question came to: the shift by account, or why not.
struct Ruling {
  enum class Kind { accepted, refused, failed, not_asked };
  Kind kind = Kind::not_asked;
  std::string why;
  Amounts shift;

  static Ruling refused(std::string why) { return {Kind::refused, std::move(why), {}}; }
  static Ruling failed(std::string why) { return {Kind::failed, std::move(why), {}}; }
};

const JsonValue* pointer(const std::optional<JsonValue>& document) {
  return document ? &*document : nullptr;
}

/// An account that the prediction names and the exchange does not have.
std::optional<std::string> unknown_account(const Amounts& amounts, const AcceptedInput& input) {
  for (const auto& [name, amount] : amounts) {
    const auto same = [&, &wanted = name](const AcceptedAccount& account) { return account.name == wanted; };
    if (std::none_of(input.accounts.begin(), input.accounts.end(), same)) {
      return fmt::format("'{}' is no account of the exchange", name);
    }
  }
  return std::nullopt;
}

/// Modern's delta less legacy's as the prediction has it, by account; those that are not zero.
Ruling shift_of(const Prediction& prediction, const AcceptedInput& input) {
  for (const auto* amounts : {&prediction.delta, &prediction.shift}) {
    if (auto why = unknown_account(*amounts, input)) return Ruling::failed(*why);
  }
  Ruling ruling{Ruling::Kind::accepted, {}, {}};
  for (const auto& account : input.accounts) {
    const auto* delta = amount_of(prediction.delta, account.name);
    const auto* stated = amount_of(prediction.shift, account.name);
    if (delta != nullptr && stated != nullptr) return Ruling::failed("delta and shift of one account");
    std::int64_t shift = stated != nullptr ? *stated : 0;
    if (delta != nullptr) {
      if (!account.legacy_delta)
        return Ruling::failed("delta needs postings, and there are none here: state the shift");
      if (__builtin_sub_overflow(*delta, *account.legacy_delta, &shift)) return Ruling::failed("delta: beyond 64 bits");
    }
    if (shift != 0) ruling.shift.emplace_back(account.name, shift);
  }
  std::sort(ruling.shift.begin(), ruling.shift.end());
  return ruling;
}

/// Why the postings are not legacy's plus the shift, or nothing.
std::optional<std::string> contradicted_by_postings(const Amounts& shift, const AcceptedInput& input) {
  if (!input.postings) return std::nullopt;
  for (const auto& account : input.accounts) {
    if (!account.legacy_delta && !account.modern_delta) continue;
    if (!account.legacy_delta || !account.modern_delta) return "only one side has posted to " + account.name;
    std::int64_t expected = *account.legacy_delta;
    const auto* moved = amount_of(shift, account.name);
    if (moved != nullptr && __builtin_add_overflow(expected, *moved, &expected)) return "delta beyond 64 bits";
    if (expected == *account.modern_delta) continue;
    return fmt::format("account {}: delta {} predicted, {} posted", account.name,
                       format_minor(expected, account.digits), format_minor(*account.modern_delta, account.digits));
  }
  for (const auto& [name, amount] : shift) {
    const auto posted = [&, &wanted = name](const AcceptedAccount& a) { return a.name == wanted && a.modern_delta; };
    if (std::none_of(input.accounts.begin(), input.accounts.end(), posted)) return "nothing was posted to " + name;
  }
  return std::nullopt;
}

Ruling rule_on_change(const Prediction& prediction, const AcceptedInput& input, const AnswerDocuments& documents) {
  Ruling ruling = shift_of(prediction, input);
  if (ruling.kind != Ruling::Kind::accepted) return ruling;
  if (auto why = contradiction(prediction, input.exchange.leg(Side::modern), pointer(documents.modern),
                               pointer(documents.legacy)))
    return Ruling::refused(*why);
  if (auto why = unpredicted_difference(prediction, input.responses)) return Ruling::refused(*why);
  if (auto why = contradicted_by_postings(ruling.shift, input)) return Ruling::refused(*why);
  return ruling;
}

/// Whether the accounts differ by what was accepted before, and by nothing else; only then can a difference be its
/// consequence.
bool differ_by_carry_alone(const std::vector<AcceptedAccount>& accounts) {
  bool any = false;
  for (const auto& account : accounts) {
    const bool known = account.legacy_before && account.modern_before;
    if (!known && account.carry != 0) return false;
    std::int64_t modern = 0;
    if (known &&
        (__builtin_add_overflow(*account.legacy_before, account.carry, &modern) || modern != *account.modern_before)) {
      return false;
    }
    any = any || account.carry != 0;
  }
  return any;
}

/// One side recomputed: its answer, and its postings where they are known.
std::optional<std::string> contradicted_by_side(const Prediction& prediction, Side side, const AcceptedInput& input,
                                                const AnswerDocuments& documents) {
  const bool legacy = side == Side::legacy;
  if (auto why = contradiction(prediction, input.exchange.leg(side),
                               pointer(legacy ? documents.legacy : documents.modern), pointer(documents.legacy)))
    return why;
  if (auto why = unpredicted_difference(prediction, input.responses)) return why;
  for (const auto& account : input.accounts) {
    const auto* predicted = amount_of(prediction.delta, account.name);
    const auto& posted = legacy ? account.legacy_delta : account.modern_delta;
    if (predicted == nullptr || !input.postings || posted == *predicted) continue;
    return fmt::format("account {}: delta {} recomputed, {} posted", account.name,
                       format_minor(*predicted, account.digits),
                       posted ? format_minor(*posted, account.digits) : "nothing");
  }
  return std::nullopt;
}

Ruling rule_on_consequence(const Prediction& legacy, const Prediction& modern, const AcceptedInput& input,
                           const AnswerDocuments& documents) {
  for (const auto* amounts : {&legacy.delta, &modern.delta}) {
    if (auto why = unknown_account(*amounts, input)) return Ruling::failed(*why);
  }
  for (const auto& [side, prediction] : {std::pair{Side::legacy, &legacy}, std::pair{Side::modern, &modern}}) {
    if (auto why = contradicted_by_side(*prediction, side, input, documents)) {
      return Ruling::refused(fmt::format("{}: {}", to_string(side), *why));
    }
  }
  Ruling ruling{Ruling::Kind::accepted, {}, {}};
  for (const auto& account : input.accounts) {
    const auto *l = amount_of(legacy.delta, account.name), *m = amount_of(modern.delta, account.name);
    if ((l == nullptr) != (m == nullptr)) return Ruling::failed("delta of an account on one side only");
    std::int64_t shift = 0;
    if (l != nullptr && __builtin_sub_overflow(*m, *l, &shift)) return Ruling::failed("delta: beyond 64 bits");
    if (shift != 0) ruling.shift.emplace_back(account.name, shift);
  }
  std::sort(ruling.shift.begin(), ruling.shift.end());
  if (auto why = contradicted_by_postings(ruling.shift, input)) return Ruling::refused(*why);
  return ruling;
}

}  // namespace

struct AcceptedChanges::Impl {
  RuleProgram program;
  std::map<std::string, std::vector<std::size_t>> by_route;
  AcceptedCounts counts;

  Ruling ask_change(std::size_t rule, const AcceptedInput& input, const AnswerDocuments& documents) {
    if (!program.rules[rule].has_expect) return {};
    const auto answer = program.ask(rule, Question::change, input, documents);
    if (!answer.error.empty()) return Ruling::failed(answer.error);
    return answer.prediction ? rule_on_change(*answer.prediction, input, documents) : Ruling{};
  }

  Ruling ask_consequence(std::size_t rule, const AcceptedInput& input, const AnswerDocuments& documents) {
    if (!program.rules[rule].has_consequence || !differ_by_carry_alone(input.accounts)) return {};
    const auto legacy = program.ask(rule, Question::legacy_consequence, input, documents);
    if (!legacy.error.empty()) return Ruling::failed(legacy.error);
    const auto modern = program.ask(rule, Question::modern_consequence, input, documents);
    if (!modern.error.empty()) return Ruling::failed(modern.error);
    if (!legacy.prediction || !modern.prediction) return {};
    return rule_on_consequence(*legacy.prediction, *modern.prediction, input, documents);
  }

  /// Counts and writes down a ruling; true when it accepts.
  bool take(const Ruling& ruling, AcceptedOutcome::Kind kind, const AcceptedRule& rule, const AcceptedInput& input,
            AcceptedOutcome& outcome) {
    auto& count = counts[rule.id];
    const bool change = kind == AcceptedOutcome::Kind::change;
    switch (ruling.kind) {
      case Ruling::Kind::not_asked:
        return false;
      case Ruling::Kind::failed:
        ++count.errors;
        count.last_error = ruling.why;
        outcome.evaluations.emplace_back(rule.id, "error: " + ruling.why);
        return false;
      case Ruling::Kind::refused:
        if (change) ++count.refused;
        outcome.evaluations.emplace_back(rule.id, (change ? "" : "no consequence: ") + ruling.why);
        return false;
      case Ruling::Kind::accepted:
        ++(change ? count.matched : count.consequences);
        count.last_matched_us = std::max(count.last_matched_us, input.event_time_us);
        count.exchanges_since_match = 0;
        outcome.evaluations.emplace_back(rule.id, change ? "as predicted" : "consequence of what was accepted before");
        outcome.kind = kind;
        outcome.rule = rule.id;
        outcome.shift = ruling.shift;
        return true;
    }
    return false;
  }
};

AcceptedChanges::AcceptedChanges() : impl_(std::make_unique<Impl>()) {}
AcceptedChanges::~AcceptedChanges() = default;
AcceptedChanges::AcceptedChanges(AcceptedChanges&&) noexcept = default;
AcceptedChanges& AcceptedChanges::operator=(AcceptedChanges&&) noexcept = default;

Result<AcceptedChanges> AcceptedChanges::parse(std::string_view text, std::string_view name) {
  auto program = RuleProgram::compile(text, name);
  if (!program) return program.error();
  AcceptedChanges changes;
  changes.impl_->program = std::move(*program);
  const auto& rules = changes.impl_->program.rules;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    changes.impl_->counts.emplace(rules[i].id, AcceptedRuleCounts{});
    const std::set<std::string> routes(rules[i].routes.begin(), rules[i].routes.end());
    for (const auto& route : routes) changes.impl_->by_route[route].push_back(i);
  }
  return changes;
}

AcceptedOutcome AcceptedChanges::evaluate(const AcceptedInput& input) {
  AcceptedOutcome outcome;
  const auto route = impl_->by_route.find(input.exchange.route);
  if (route == impl_->by_route.end()) return outcome;
  const auto documents = AnswerDocuments::of(input.exchange);
  for (const std::size_t i : route->second) {
    const AcceptedRule& rule = impl_->program.rules[i];
    if (input.event_time_us >= rule.expires_at_us) {
      ++impl_->counts[rule.id].expired;
      outcome.evaluations.emplace_back(rule.id, "expired on " + rule.expires);
      continue;
    }
    using Kind = AcceptedOutcome::Kind;
    if (impl_->take(impl_->ask_change(i, input, documents), Kind::change, rule, input, outcome)) break;
    if (impl_->take(impl_->ask_consequence(i, input, documents), Kind::consequence, rule, input, outcome)) break;
  }
  return outcome;
}

void AcceptedChanges::note_exchange(const std::string& route, std::int64_t event_time_us) {
  const auto found = impl_->by_route.find(route);
  if (found == impl_->by_route.end()) return;
  for (const std::size_t i : found->second) {
    auto& count = impl_->counts[impl_->program.rules[i].id];
    ++count.exchanges_since_match;
    if (count.active_since_us == 0) count.active_since_us = event_time_us;
  }
}

bool AcceptedChanges::empty() const {
  return impl_->program.rules.empty();
}

bool AcceptedChanges::concerns(const std::string& route) const {
  return impl_->by_route.contains(route);
}

const std::vector<AcceptedRule>& AcceptedChanges::rules() const {
  return impl_->program.rules;
}

std::vector<AcceptedRuleStatus> AcceptedChanges::status(std::int64_t event_time_us) const {
  std::vector<AcceptedRuleStatus> result;
  for (const auto& rule : impl_->program.rules) {
    const auto& count = impl_->counts.at(rule.id);
    const std::int64_t since = std::max(count.last_matched_us, count.active_since_us);
    const bool long_ago = event_time_us - since >= AcceptedRuleStatus::kUnusedUs && count.exchanges_since_match > 0;
    result.push_back({rule, count, event_time_us >= rule.expires_at_us,
                      count.exchanges_since_match >= AcceptedRuleStatus::kUnusedExchanges || long_ago});
  }
  return result;
}

const AcceptedCounts& AcceptedChanges::counts() const {
  return impl_->counts;
}

void AcceptedChanges::restore(const AcceptedCounts& counts) {
  for (auto& [id, count] : impl_->counts) {
    if (const auto at = counts.find(id); at != counts.end()) count = at->second;
  }
}

}  // namespace phoenix::arbiter
