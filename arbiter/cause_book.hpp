// What the arbiter learns while it labels mismatches: rates and attributes of each route, attributes of accounts, and
// the groups. A function of the decided exchanges in their order; remembers what changed since the last commit.
// Internal to the decision core; pure.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "arbiter/balance_rule.hpp"
#include "arbiter/cause_classifier.hpp"
#include "arbiter/cause_state.hpp"
#include "arbiter/mismatch_groups.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

/// What the judge knows of a mismatch beyond the exchange itself; every part may be absent.
struct PostingFacts {
  std::array<Posted, 2> posted;  ///< by side
  int scale = 2;
  bool inferred = false;  ///< from stated balances
  std::optional<std::int64_t> balance_moved;
  std::string order_proof;
  std::string other_account;  ///< one side posted to an account that the request does not name; empty: neither did
  std::string follows;        ///< why an exchange that is `unknown` differs: it follows from an earlier difference
};

/// What a verdict says of itself, where there is no exchange to recompute; nothing for verdicts that need no cause.
std::optional<Cause> cause_of(Verdict verdict);

class CauseBook {
 public:
  CauseBook(const config::Config& config, CauseState state);

  /// An exchange was decided: a consistent one teaches what is usual, an inconsistent or order-dependent one is
  /// labelled. Nothing for the others (`unknown`, `pending`).
  std::optional<CauseFinding> decided(const ExchangeEvent& exchange, Verdict verdict,
                                      const std::vector<ValueDifference>& differences, const PostingFacts& postings);
  CauseChanges take_changes();

  /// How amounts of a route follow from balances; what is stored with the causes, but verdicts depend on it.
  [[nodiscard]] const BalanceRules& balance_rules(const std::string& slice, const std::string& route) const;
  BalanceRules& learn_balance_rules(const std::string& slice, const std::string& route);

  /// Every exchange of a route up to this many is looked at, later one in kSampleEvery.
  static constexpr std::uint64_t kLookAtAll = 4'096;
  static constexpr std::uint64_t kSampleEvery = 16;
  static constexpr std::size_t kMostGroups = 512;
  static constexpr std::size_t kMostAccounts = 200'000;
  static constexpr std::size_t kMostPaths = 8;    ///< a route, whose rates are learned
  static constexpr std::size_t kMostRates = 128;  ///< a path: side, base and tier

 private:
  struct TrackedPath {
    int scale = 2;
    std::map<std::string, RateVotes> rates;          // side, base, tier
    std::map<std::string, std::uint64_t> certainly;  // labels that had no alternative
  };
  struct Route {
    std::uint64_t decided = 0;
    AttributeCounts attributes;
    std::map<std::string, TrackedPath> paths;
  };
  using RouteKey = std::pair<std::string, std::string>;  // slice, route
  using GroupKey = std::tuple<std::string, std::string, Cause, std::string>;

  static std::string encode_route(const Route& route);
  static Route decode_route(const std::string& text);
  void learn_account(const ExchangeEvent& exchange);
  Attributes account_attributes(const ExchangeEvent& exchange) const;
  Attributes attributes_of(const ExchangeEvent& exchange, const MismatchFacts& facts) const;
  void learn_rates(Route& route, const MismatchFacts& facts);
  CauseFinding label(Route& route, const MismatchFacts& facts);
  void group(const ExchangeEvent& exchange, const CauseFinding& finding, const Attributes& attributes);

  std::set<std::string> creating_routes_;
  std::map<RouteKey, Route> routes_;
  std::map<RouteKey, BalanceRules> balance_rules_;
  AttributeCounts account_names_;
  bool account_names_changed_ = false;
  std::unordered_map<std::string, Attributes> accounts_;
  std::map<GroupKey, MismatchGroup> groups_;
  std::set<RouteKey> changed_routes_, changed_balance_rules_;
  std::set<std::string> changed_accounts_;
  std::set<GroupKey> changed_groups_;
};

}  // namespace phoenix::arbiter
