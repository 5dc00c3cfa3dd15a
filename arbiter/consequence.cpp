#include "arbiter/consequence.hpp"

#include <algorithm>

#include "arbiter/cause_facts.hpp"
#include "core/model/decimal.hpp"

namespace phoenix::arbiter {
namespace {

bool posted_once(const AccountPosting::Leg& leg) {
  return leg.transactions == 1;
}

const AccountPosting* own_posting(const ExchangeEvent& exchange, const std::vector<AccountPosting>& postings) {
  if (exchange.keys.empty()) return nullptr;
  const auto at = std::find_if(postings.begin(), postings.end(),
                               [&](const auto& posting) { return posting.account == exchange.keys.front().key; });
  return at == postings.end() ? nullptr : &*at;
}

bool differs(const AccountPosting& posting) {
  const auto& [legacy, modern] = posting.legs;
  return legacy.transactions != modern.transactions || legacy.delta != modern.delta;
}

/// Every field that differs states the two amounts, and nothing else does.
bool states(const ResponseDifference& responses, std::int64_t legacy, std::int64_t modern, int scale) {
  if (responses.not_reported > 0 || responses.outcome == ResponseDifference::Outcome::undecided) return false;
  return std::all_of(responses.values.begin(), responses.values.end(), [&](const ValueDifference& difference) {
    return difference.kind == DifferenceKind::value && minor_of(difference.legacy, scale) == legacy &&
           minor_of(difference.modern, scale) == modern;
  });
}

std::optional<std::int64_t> units_of(const Decimal& value, int scale) {
  const auto units = value.to_minor(scale);
  return units ? std::optional(*units) : std::nullopt;
}

/// True where no balance is stated.
bool states_balance(const std::optional<Decimal>& stated, std::int64_t after, int scale) {
  return !stated || units_of(*stated, scale) == after;
}

}  // namespace

std::string FromBalances::text() const {
  return fmt::format("legacy {} of {}, modern {} of {}", format_minor(legacy.amount, scale),
                     format_minor(legacy.before, scale), format_minor(modern.amount, scale),
                     format_minor(modern.before, scale));
}

std::optional<FromBalances> posted_from_balances(const ExchangeEvent& exchange, const ResponseDifference& responses,
                                                 const std::vector<AccountPosting>& postings) {
  const AccountPosting* own = own_posting(exchange, postings);
  if (own == nullptr || !posted_once(own->legs[0]) || !posted_once(own->legs[1])) return std::nullopt;
  const auto& [legacy, modern] = own->legs;
  const bool others = std::any_of(postings.begin(), postings.end(),
                                  [&](const auto& posting) { return &posting != own && differs(posting); });
  const std::int64_t sign = legacy.delta < 0 || modern.delta < 0 ? -1 : 1;
  if (others || legacy.before == modern.before || legacy.delta * sign < 0 || modern.delta * sign < 0)
    return std::nullopt;
  FromBalances found{
      {legacy.before, legacy.delta * sign}, {modern.before, modern.delta * sign}, own->scale, own->same_predecessors};
  if (!states(responses, found.legacy.amount, found.modern.amount, own->scale)) return std::nullopt;
  if (!states_balance(responses.legacy_balance, legacy.after, own->scale) ||
      !states_balance(responses.modern_balance, modern.after, own->scale))
    return std::nullopt;
  return found;
}

std::optional<FromBalances> answered_from_balances(const ResponseDifference& responses, int scale) {
  if (responses.values.empty() || !responses.legacy_balance || !responses.modern_balance) return std::nullopt;
  const auto& first = responses.values.front();
  const auto legacy = minor_of(first.legacy, scale), modern = minor_of(first.modern, scale);
  const auto after_legacy = units_of(*responses.legacy_balance, scale);
  const auto after_modern = units_of(*responses.modern_balance, scale);
  if (!legacy || !modern || !after_legacy || !after_modern || !states(responses, *legacy, *modern, scale))
    return std::nullopt;
  FromBalances found{{*after_legacy - *legacy, *legacy}, {*after_modern - *modern, *modern}, scale, false};
  return found.legacy.before == found.modern.before ? std::nullopt : std::optional(found);
}

std::optional<BalanceAmount> legacy_from_balance(const ExchangeEvent& exchange,
                                                 const std::vector<AccountPosting>& postings) {
  const AccountPosting* own = own_posting(exchange, postings);
  if (own == nullptr || !posted_once(own->legs[0])) return std::nullopt;
  const auto& legacy = own->legs[0];
  return BalanceAmount{legacy.before, legacy.delta < 0 ? -legacy.delta : legacy.delta};
}

bool was_absent(const AccountState& account, Side side, const StreamState& stream, std::int64_t received_at_us,
                std::int64_t slack_us) {
  const std::int64_t there = account.created_us[index(other(side))], here = account.created_us[index(side)];
  if (there == 0 || !stream.begun || there < stream.began_us + slack_us) return false;
  const SideChain& chain = account.postings.chains[index(side)];
  const bool told = chain.known && (chain.position != StreamPosition{0, 0} || chain.balance != 0);  // not by a sweep
  if (here == 0) return !told;
  // Only an opening whose leg was uncertain comes late; otherwise it is there for whoever comes after it.
  return std::min(here, account.postings.uncertain_at_us) >= received_at_us - slack_us;
}

std::optional<Side> found_nothing(const ExchangeEvent& exchange) {
  std::optional<Side> side;
  for (const Side asked : {Side::legacy, Side::modern}) {
    const LegRecord& leg = exchange.leg(asked);
    if (leg.outcome != LegOutcome::ok) return std::nullopt;
    if (leg.status != 404 && leg.status != 410) continue;
    if (side) return std::nullopt;
    side = asked;
  }
  return side;
}

}  // namespace phoenix::arbiter
