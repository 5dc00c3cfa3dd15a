#include "arbiter/noise_board.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "arbiter/clean_text.hpp"

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

void NoiseBoard::take(const ExchangeEvent& event, const ResponseDifference& found, const std::string& balance_path) {
  if (found.outcome == ResponseDifference::Outcome::undecided) return;
  RouteNoise& noise = routes_[{event.slice, event.route}];
  ++noise.repeats;
  noise.balance = balance_path;
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

std::string encode_fields(const RouteNoise& noise) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [path, field] : noise.fields) {
    list.push_back({{"path", clean_text(path)},
                    {"kind", to_string(field.kind)},
                    {"differing", field.differing},
                    {"first", clean_text(field.first)},
                    {"second", clean_text(field.second)},
                    {"proposal", clean_text(proposal_for(path, field, noise.repeats, noise.balance))}});
  }
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

RouteNoise decode_route_noise(std::uint64_t repeats, const std::string& fields) {
  RouteNoise noise;
  noise.repeats = repeats;
  for (const auto& entry : nlohmann::json::parse(fields)) {
    NoisyField& field = noise.fields[entry.at("path")];
    for (int kind = 0; kind <= static_cast<int>(DifferenceKind::body); ++kind) {
      if (to_string(static_cast<DifferenceKind>(kind)) == entry.at("kind"))
        field.kind = static_cast<DifferenceKind>(kind);
    }
    entry.at("differing").get_to(field.differing);
    entry.at("first").get_to(field.first);
    entry.at("second").get_to(field.second);
  }
  return noise;
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
