// A rules file as a program in the sandbox: declares its rules once, and computes one prediction at a time. Internal to
// accepted changes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arbiter/accepted_changes.hpp"

namespace phoenix::arbiter {

class RuleProgram {
 public:
  /// Compiles the text and reads its rules; the error is one line.
  static Result<RuleProgram> compile(std::string_view text, std::string_view name);

  enum class Question {
    change,              ///< when and expect: what modern must answer and post
    legacy_consequence,  ///< consequence with legacy's balances
    modern_consequence,
  };
  struct Answer {
    std::optional<Prediction> prediction;  ///< nothing: the rule does not apply
    std::string error;                     ///< not empty: the rule failed
  };
  /// The file runs anew for every question, in a fresh interpreter, so nothing is kept from one to the next.
  Answer ask(std::size_t rule, Question question, const AcceptedInput& input, const AnswerDocuments& documents);

  std::vector<AcceptedRule> rules;

 private:
  std::string code_;  // as compiled
  Sandbox sandbox_;
};

}  // namespace phoenix::arbiter
