#include "arbiter/noise_board.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace phoenix::arbiter {
namespace {

/// Fewer say nothing: a write may have come between both reads.
constexpr std::uint64_t kLeastDiffering = 3;
constexpr double kLeastShare = 0.02;

std::string place_of(const ValueDifference& difference) {
  switch (difference.kind) {
    case DifferenceKind::status:
      return "status";
    case DifferenceKind::body:
      return "body";
    case DifferenceKind::header:
      return "header " + difference.path;
    default:
      return without_indices(difference.path);
  }
}

}  // namespace

std::string without_indices(std::string_view path) {
  std::string result;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    const bool index = segment.size() > 1 && segment[0] == '/' &&
                       std::all_of(segment.begin() + 1, segment.end(), [](char c) { return c >= '0' && c <= '9'; });
    result += index ? "/*" : segment;
    path.remove_prefix(end);
  }
  return result;
}

void NoiseBoard::take(const ExchangeEvent& event, const ResponseDifference& found) {
  if (found.outcome == ResponseDifference::Outcome::undecided) return;
  RouteNoise& noise = routes_[{event.slice, event.route}];
  ++noise.repeats;
  std::set<std::string> counted;  // an array's elements are one field
  for (const auto& difference : found.values) {
    const std::string place = place_of(difference);
    if (!counted.insert(place).second) continue;
    auto field = noise.fields.find(place);
    if (field == noise.fields.end()) {
      if (noise.fields.size() >= RouteNoise::kMostFields) {
        noise.more = true;
        continue;
      }
      field = noise.fields.emplace(place, NoisyField{}).first;
    }
    ++field->second.differing;
    field->second.kind = difference.kind;
    field->second.first = difference.legacy;
    field->second.second = difference.modern;
  }
}

std::string proposal_for(const std::string& path, const NoisyField& field, std::uint64_t repeats,
                         std::string_view balance_path) {
  if (field.differing < kLeastDiffering ||
      static_cast<double>(field.differing) < kLeastShare * static_cast<double>(repeats))
    return {};
  if (!balance_path.empty() && path == balance_path)
    return "none: it is the balance, and writes come between two reads";
  switch (field.kind) {
    case DifferenceKind::status:
    case DifferenceKind::body:
      return "none: it cannot be excused by a rule";
    case DifferenceKind::header:
      return fmt::format("take {} out of compare.headers", path.substr(path.find(' ') + 1));
    case DifferenceKind::order:
      return fmt::format("compare: {{unordered: [{}]}}", path);
    default:
      return fmt::format("compare: {{ignore: [{}]}}", path);
  }
}

}  // namespace phoenix::arbiter
