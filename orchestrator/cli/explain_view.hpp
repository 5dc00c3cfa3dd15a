// `phoenixctl explain`: one exchange with both sides next to each other. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace phoenix::orchestrator::cli {

/// A JSON text as (path, value) pairs in document order; numbers keep their text. Empty when it is not JSON.
std::vector<std::pair<std::string, std::string>> flatten_json(const std::string& text);

/// True when `path` is `pattern` or below it; a segment `*` matches any one segment.
bool path_matches(const std::string& path, const std::string& pattern);

/// `document`: JSON text of GET /api/v1/exchanges/{id}. `ignored`: the route's ignore rules, where known.
std::string render_exchange(const std::string& document, const std::vector<std::string>& ignored);

}  // namespace phoenix::orchestrator::cli
