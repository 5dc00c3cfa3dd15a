// The rules of accepted changes, as the decision core asks them: what is known of an exchange as the rules see it. One
// thread.
#pragma once

#include "arbiter/accepted_active_rules.hpp"
#include "arbiter/accepted_change_policy.hpp"

namespace phoenix::arbiter {

class AcceptedPolicy final : public AcceptedChangePolicy {
 public:
  /// `rules` must outlive it; other rules may become active there.
  explicit AcceptedPolicy(ActiveRules& rules) : rules_(rules) {}

  void note(const ExchangeEvent& exchange) override;
  std::optional<Acceptance> judge(const DifferenceFacts& facts) override;

  /// Counts have changed since the last call.
  bool take_changed() { return std::exchange(changed_, false); }

 private:
  ActiveRules& rules_;
  bool changed_ = false;
};

}  // namespace phoenix::arbiter
