// The section `compare` of a route: what of two answers may differ. Every rule names what it excuses; a rule that could
// hide money or the identity of an account is refused.
#include <fmt/format.h>

#include <algorithm>

#include "core/model/decimal.hpp"
#include "core/runtime/config_section.hpp"

namespace phoenix::config {
namespace {

std::vector<std::string> segments(const std::string& pointer) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < pointer.size();) {
    const std::size_t end = std::min(pointer.find('/', at + 1), pointer.size());
    parts.push_back(pointer.substr(at + 1, end - at - 1));
    at = end;
  }
  return parts;
}

/// Whether some path is meant by both; the first may end earlier where `below` says so.
bool meet(const std::string& rule, const std::string& path, bool below = false) {
  const auto a = segments(rule), b = segments(path);
  if (below ? a.size() > b.size() : a.size() != b.size()) return false;
  return std::equal(a.begin(), a.end(), b.begin(),
                    [](const auto& x, const auto& y) { return x == y || x == "*" || y == "*"; });
}

std::string pointer_problem(const std::string& pointer) {
  if (!pointer.starts_with('/')) return fmt::format("JSON path '{}' must start with '/'", pointer);
  for (std::size_t at = pointer.find('~'); at != std::string::npos; at = pointer.find('~', at + 1)) {
    const char escaped = at + 1 < pointer.size() ? pointer[at + 1] : ' ';
    if (escaped != '0' && escaped != '1') return fmt::format("JSON path '{}': write '~' as ~0 and '/' as ~1", pointer);
  }
  return {};
}

void check_pointers(const Section& compare, const std::vector<std::string>& pointers) {
  for (const auto& pointer : pointers) {
    if (const auto problem = pointer_problem(pointer); !problem.empty()) compare.fail(problem);
  }
}

/// Paths that name an account: what two sides say there must be the same text.
std::vector<std::string> key_paths(const RouteConfig& route) {
  std::vector<std::string> paths = route.key.json;
  if (!route.creates.empty()) paths.push_back(route.creates);
  return paths;
}

std::string tolerance_problem(const RouteConfig& route, const std::string& path, const std::string& most) {
  if (auto problem = pointer_problem(path); !problem.empty()) return problem;
  const auto number = Decimal::parse(most);
  if (!number || number->to_string().starts_with('-') || *number == Decimal())
    return fmt::format("'{}' is no tolerance: an exact decimal above zero, like 0.01", most);
  if (!route.compare.balance.empty() && meet(path, route.compare.balance))
    return fmt::format("'{}' is the balance: money has no tolerance", path);
  for (const auto& key : key_paths(route)) {
    if (meet(path, key)) return fmt::format("'{}' is a key and has no tolerance", path);
  }
  for (const auto& [array, member] : route.compare.keyed) {
    if (meet(path, array + "/*/" + member)) return fmt::format("'{}' joins the elements of '{}'", path, array);
  }
  for (const auto& array : route.compare.unordered) {
    if (meet(array, path, true))
      return fmt::format("'{}' lies in the unordered array '{}', whose elements are matched exactly: use keyed", path,
                         array);
  }
  return {};
}

std::string keyed_problem(const RouteConfig& route, const std::string& path, const std::string& member) {
  if (auto problem = pointer_problem(path); !problem.empty()) return problem;
  if (member.empty() || member.find('/') != std::string::npos)
    return fmt::format("'{}' is no name of a member of the elements of '{}'", member, path);
  for (const auto& array : route.compare.unordered) {
    if (meet(path, array)) return fmt::format("'{}' is unordered already: name it once", path);
  }
  return {};
}

void read_normalisers(Section& compare, RouteConfig& route) {
  static const std::vector<std::pair<std::string_view, Normaliser>> kNames{{"timestamp", Normaliser::timestamp},
                                                                           {"uuid", Normaliser::uuid},
                                                                           {"case", Normaliser::letter_case},
                                                                           {"number", Normaliser::number}};
  compare.read_members("normalise", [&](const std::string& path, const std::string& name) -> std::string {
    if (auto problem = pointer_problem(path); !problem.empty()) return problem;
    for (const auto& [known, normaliser] : kNames) {
      if (known != name) continue;
      route.compare.normalise.emplace_back(path, normaliser);
      return {};
    }
    return fmt::format("'{}' is none of timestamp, uuid, case, number", name);
  });
}

void check_ignored(const Section& compare, const RouteConfig& route) {
  for (const auto& ignored : route.compare.ignore) {
    const auto& keys = route.key.json;
    if (std::find(keys.begin(), keys.end(), ignored) != keys.end())
      compare.fail(fmt::format("'{}' is the key and is never ignored in comparison", ignored));
  }
}

}  // namespace

void read_compare(Section compare, RouteConfig& route) {
  CompareConfig& rules = route.compare;
  compare.read("ignore", rules.ignore);
  compare.read("balance", rules.balance);
  compare.read("unordered", rules.unordered);
  compare.read("headers", rules.headers);
  compare.read_choice("status", rules.status_class, {{"exact", false}, {"class", true}});
  read_normalisers(compare, route);
  compare.read_members("keyed", [&](const std::string& path, const std::string& member) {
    rules.keyed.emplace_back(path, member);
    return keyed_problem(route, path, member);
  });
  compare.read_members("tolerance", [&](const std::string& path, const std::string& most) {
    rules.tolerance.emplace_back(path, most);
    return tolerance_problem(route, path, most);
  });
  compare.finish();
  check_pointers(compare, rules.ignore);
  check_pointers(compare, rules.unordered);
  if (!rules.balance.empty()) check_pointers(compare, {rules.balance});
  check_ignored(compare, route);
  for (const auto& name : rules.headers) {
    if (name.empty() || name.find_first_of(" :\t") != std::string::npos)
      compare.fail(fmt::format("headers: '{}' is no name of a header", name));
  }
}

}  // namespace phoenix::config
