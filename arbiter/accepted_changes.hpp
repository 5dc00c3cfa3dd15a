// Accepted changes: rules, written in Lua and reviewed by people, that say exactly how modern differs from legacy on
// purpose (docs/accepted-changes.md is the reference for those who write them). An exchange is accepted only when every
// difference between its answers and its postings is the one a rule computes; a rule that errs accepts nothing.
//
// Pure: a result depends on the rules' text and the input alone, so replaying the log repeats it. One thread each.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arbiter/accepted_prediction.hpp"
#include "arbiter/accepted_rule.hpp"
#include "arbiter/accepted_sandbox.hpp"

namespace phoenix::arbiter {

/// An account of the exchange: its keys in their order, then others that were posted to. Amounts in units of
/// 10^-digits.
struct AcceptedAccount {
  std::string name;
  std::string currency;
  int digits = 2;
  std::optional<std::int64_t> legacy_before, modern_before;  ///< absent where not known
  std::optional<std::int64_t> legacy_delta, modern_delta;    ///< as posted; absent without postings
  std::int64_t carry = 0;                                    ///< modern - legacy accepted so far, before this exchange
};

struct AcceptedInput {
  const ExchangeEvent& exchange;
  const ResponseDifference& responses;
  std::vector<AcceptedAccount> accounts;
  /// Deltas are known (state_source capture or debezium): those of every account are verified. Otherwise only the
  /// answers are, and a rule's `shift` is taken as stated.
  bool postings = false;
  std::int64_t event_time_us = 0;
};

struct AcceptedOutcome {
  enum class Kind { none, change, consequence };
  Kind kind = Kind::none;
  std::string rule;  ///< id
  /// By account, sorted: how far modern's delta is accepted to be above legacy's; what the carry moves by. Without
  /// postings the caller holds the balance in the answers against it: modern - legacy must be the gap plus this.
  std::vector<std::pair<std::string, std::int64_t>> shift;
  /// For `explain`: each rule that was tried and what became of it.
  std::vector<std::pair<std::string, std::string>> evaluations;
};

class AcceptedChanges {
 public:
  static constexpr std::size_t kMaxTextBytes = 512 * 1024;
  static constexpr std::size_t kMaxRules = 256;

  /// Without rules: accepts nothing.
  AcceptedChanges();
  ~AcceptedChanges();
  AcceptedChanges(AcceptedChanges&&) noexcept;
  AcceptedChanges& operator=(AcceptedChanges&&) noexcept;

  /// Reads the text of a rules file; `name` stands for it in messages. The error is one line, `rules.lua:12: …`.
  static Result<AcceptedChanges> parse(std::string_view text, std::string_view name);

  /// Tries the rules of the exchange's route in their order; the first that verifies decides. For exchanges whose
  /// answers or postings differ; others need not be asked.
  AcceptedOutcome evaluate(const AcceptedInput& input);
  /// An exchange of this route was judged, whatever its outcome: what `unused` is measured by. Before evaluate().
  void note_exchange(const std::string& route, std::int64_t event_time_us);

  [[nodiscard]] bool empty() const;
  /// Whether a rule names the route: cheap, for leaving out everything else.
  [[nodiscard]] bool concerns(const std::string& route) const;
  [[nodiscard]] const std::vector<AcceptedRule>& rules() const;
  [[nodiscard]] std::vector<AcceptedRuleStatus> status(std::int64_t event_time_us) const;

  /// Counts of the present rules, by id; for the stored state, and for the rules that replace these.
  [[nodiscard]] const AcceptedCounts& counts() const;
  /// Takes up the counts of rules that it has; others are dropped.
  void restore(const AcceptedCounts& counts);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
