#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "arbiter/cause_book.hpp"

namespace phoenix::arbiter {
namespace {

using nlohmann::json;

// Names of the stored texts. A slice has no slash in its name, a route may.
constexpr std::string_view kRoute = "route/";
constexpr std::string_view kBalanceRules = "balance rules/";
constexpr std::string_view kAccount = "account/";
constexpr const char* kAccountNames = "account names";

/// Slice and route.
std::pair<std::string, std::string> route_named(const std::string& name, std::string_view prefix) {
  const auto slash = name.find('/', prefix.size());
  return {name.substr(prefix.size(), slash - prefix.size()), name.substr(slash + 1)};
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string CauseBook::encode_route(const Route& route) {
  json paths = json::object();
  for (const auto& [path, tracked] : route.paths) {
    json rates = json::object();
    for (const auto& [key, votes] : tracked.rates) rates[key] = {votes.total(), votes.votes()};
    paths[path] = {{"scale", tracked.scale}, {"rates", rates}, {"certainly", tracked.certainly}};
  }
  return dump({{"decided", route.decided}, {"attributes", encode(route.attributes)}, {"paths", paths}});
}

CauseBook::Route CauseBook::decode_route(const std::string& text) {
  const json j = json::parse(text);
  Route route;
  route.decided = j.at("decided");
  route.attributes = decode_attribute_counts(j.at("attributes").get<std::string>()).value();
  for (const auto& [path, tracked] : j.at("paths").items()) {
    TrackedPath& to = route.paths[path];
    to.scale = tracked.at("scale");
    to.certainly = tracked.at("certainly").get<std::map<std::string, std::uint64_t>>();
    for (const auto& [key, votes] : tracked.at("rates").items()) {
      to.rates[key].restore(votes.at(0), votes.at(1).get<std::vector<std::pair<std::int64_t, std::uint64_t>>>());
    }
  }
  return route;
}

CauseBook::CauseBook(const config::Config& config, CauseState state) {
  for (const auto& route : config.gateway.routes) {
    if (!route.creates.empty()) creating_routes_.insert(route.name);
  }
  try {
    for (const auto& [name, text] : state.state) {
      if (name.starts_with(kRoute)) {
        routes_[route_named(name, kRoute)] = decode_route(text);
      } else if (name.starts_with(kBalanceRules)) {
        balance_rules_[route_named(name, kBalanceRules)] = BalanceRules::decode(text).value();
      } else if (name.starts_with(kAccount)) {
        accounts_[name.substr(kAccount.size())] = json::parse(text).get<Attributes>();
      } else if (name == kAccountNames) {
        account_names_ = decode_attribute_counts(text).value();
      }
    }
  } catch (const json::exception& e) {
    throw Failure(ErrorCode::invalid_input, fmt::format("state of causes: {}", e.what()));
  }
  for (const auto& row : state.groups) {
    const auto cause = cause_from_string(row.cause);
    if (cause) groups_[{row.slice, row.route, *cause, row.path}] = decode_mismatch_group(row.state).value();
  }
}

CauseChanges CauseBook::take_changes() {
  CauseChanges changes;
  for (const auto& key : changed_routes_) {
    changes.state[std::string(kRoute) + key.first + "/" + key.second] = encode_route(routes_.at(key));
  }
  for (const auto& key : changed_balance_rules_) {
    changes.state[std::string(kBalanceRules) + key.first + "/" + key.second] = balance_rules_.at(key).encode();
  }
  for (const auto& account : changed_accounts_) {
    changes.state[std::string(kAccount) + account] = dump(accounts_.at(account));
  }
  if (account_names_changed_) changes.state[kAccountNames] = encode(account_names_);
  for (const auto& key : changed_groups_) {
    const auto& [slice, route, cause, path] = key;
    const MismatchGroup& group = groups_.at(key);
    const auto& usual = routes_[{slice, route}].attributes;
    changes.groups.push_back({slice, route, std::string(to_string(cause)), path, group.mismatches, group.first_us,
                              group.last_us, group.first_exchange, group.last_exchange,
                              sentence(group, usual, route, cause, path), encode(group)});
  }
  changed_routes_.clear();
  changed_balance_rules_.clear();
  changed_accounts_.clear();
  changed_groups_.clear();
  account_names_changed_ = false;
  return changes;
}

}  // namespace phoenix::arbiter
