// Walks two documents side by side and names what differs, by path. Pure. Internal to the response differ.
#pragma once

#include <string>
#include <vector>

#include "arbiter/response_differ.hpp"

namespace phoenix::arbiter {

/// Adds the differences between two documents to `result` and sets its outcome and `same_apart_from_order`.
/// The balance of the rules is left out where `result` holds both sides' already.
void compare_documents(const JsonValue& legacy, const JsonValue& modern, const CompareRules& rules,
                       const std::vector<std::string>& running_balance_names, ResponseDifference& result);

}  // namespace phoenix::arbiter
