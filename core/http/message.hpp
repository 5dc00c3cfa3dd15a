// Header fields as both ends of HTTP look them up. Internal to core/http.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::http {

/// First value of a header, case-insensitive; empty when absent.
std::string_view find_header(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view name);

}  // namespace phoenix::http
