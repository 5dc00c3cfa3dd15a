#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "core/http/server.hpp"

namespace phoenix::http {
namespace {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (;;) {
    const auto slash = path.find('/');
    segments.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

bool is_parameter(const std::string& pattern) {
  return pattern.size() > 2 && pattern.front() == '{' && pattern.back() == '}';
}

/// The parameters if `segments` fit `pattern`. Split before decoding: an encoded slash stays inside its segment.
std::optional<Router::Params> match(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
  if (pattern.size() != segments.size()) return std::nullopt;
  Router::Params params;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    std::string decoded = percent_decode(segments[i]);
    if (is_parameter(pattern[i])) {
      if (decoded.empty()) return std::nullopt;
      params.emplace(pattern[i].substr(1, pattern[i].size() - 2), std::move(decoded));
    } else if (decoded != pattern[i]) {
      return std::nullopt;
    }
  }
  return params;
}

}  // namespace

Router& Router::add(std::string method, std::string pattern, RouteHandler handler) {
  routes_.push_back({std::move(method), split_path(pattern), std::move(handler)});
  return *this;
}

Response Router::operator()(const Request& request) const {
  const auto segments = split_path(request.path);
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::vector<std::string> allowed;
  for (const Route& route : routes_) {
    const auto params = match(route.segments, segments);
    if (!params) continue;
    if (route.method == method) return route.handler(request, *params);
    if (std::find(allowed.begin(), allowed.end(), route.method) == allowed.end()) allowed.push_back(route.method);
  }
  if (allowed.empty()) return problem(404, "Not Found", fmt::format("there is nothing at {}", request.path));
  auto response =
      problem(405, "Method Not Allowed", fmt::format("{} is not possible on {}", request.method, request.path));
  response.headers.emplace_back("Allow", fmt::format("{}", fmt::join(allowed, ", ")));
  return response;
}

}  // namespace phoenix::http
