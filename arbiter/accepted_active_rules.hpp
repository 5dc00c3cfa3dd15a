// The rules of accepted changes that one shard judges by: taken up from the log, kept with its state. Pure; one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "arbiter/accepted_changes.hpp"
#include "arbiter/accepted_rules_record.hpp"

namespace phoenix::arbiter {

class ActiveRules {
 public:
  /// Takes up the rules of a record of the log (kAcceptedRulesKey). A record of the active text changes nothing; counts
  /// of rules that stay go on. Why the record is set aside, or nothing; the rules before it then stay.
  std::optional<std::string> activate(std::string_view record_value);

  [[nodiscard]] AcceptedChanges& changes() { return changes_; }
  [[nodiscard]] const AcceptedChanges& changes() const { return changes_; }
  /// Of the active text; empty when none ever was.
  [[nodiscard]] const std::string& sha256() const { return record_.sha256; }
  [[nodiscard]] const AcceptedRulesRecord& record() const { return record_; }

  /// Text and counts, for the stored state; empty when there never were rules.
  [[nodiscard]] std::string stored() const;
  static Result<ActiveRules> restored(std::string_view text);

 private:
  AcceptedRulesRecord record_;
  AcceptedChanges changes_;
};

}  // namespace phoenix::arbiter
