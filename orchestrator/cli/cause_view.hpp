// Why the two sides differ, in words: groups of mismatches, and the parts of `explain` that say what was posted and
// which rule and cause were found. Pure.
#pragma once

#include <string>

namespace phoenix::orchestrator::cli {

/// `document`: JSON text of GET /api/v1/groups. One sentence a group, with an exchange to look at.
std::string render_groups(const std::string& document);

/// `document`: of GET /api/v1/noise. A table of fields with the rule that is proposed for each.
std::string render_noise(const std::string& document);

/// Cause and group of an exchange, a line each; empty where there is none. `document`: of GET /api/v1/exchanges/{id}.
std::string cause_lines(const std::string& document);

/// What both sides posted to each account, with positions, and the accepted change that was tried; empty in query mode.
std::string posting_lines(const std::string& document);

}  // namespace phoenix::orchestrator::cli
