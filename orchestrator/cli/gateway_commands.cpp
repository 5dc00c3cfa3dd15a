#include "orchestrator/cli/gateway_commands.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/http/client.hpp"
#include "orchestrator/cli/api_client.hpp"
#include "orchestrator/cli/table.hpp"
#include "orchestrator/gateway_calls.hpp"

namespace phoenix::orchestrator::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kTimeout{10};

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// One line for each gateway; `did` heads the column that says whether it did.
int show(const Options& options, std::ostream& out, std::ostream& err, const std::vector<GatewayReply>& replies,
         const char* did, const char* otherwise) {
  std::string column = did;
  std::transform(column.begin(), column.end(), column.begin(), [](unsigned char c) { return std::toupper(c); });
  Table table({"GATEWAY", column, "DETAIL"});
  json gateways = json::array();
  std::size_t missing = 0;
  for (const auto& reply : replies) {
    missing += reply.acknowledged ? 0 : 1;
    gateways.push_back({{"gateway", reply.gateway}, {did, reply.acknowledged}, {"detail", reply.detail}});
    table.add({reply.gateway, reply.acknowledged ? "yes" : "NO", reply.detail});
  }
  if (options.has("json")) {
    out << dump({{did, missing == 0}, {"gateways", gateways}}) << "\n";
  } else {
    out << table.render();
  }
  if (missing == 0) return 0;
  fmt::print(err, "phoenixctl: {} of {} gateways {}\n", missing, replies.size(), otherwise);
  return 1;
}

void add_keys(Table& table, const std::string& gateway, const json& slices) {
  for (const auto& [slice, sides] : slices.items()) {
    for (const auto& [side, states] : sides.items()) {
      for (const auto& [state, keys] : states.items()) {
        for (const auto& key : keys) table.add({gateway, slice, side, state, printable(key)});
      }
    }
  }
}

}  // namespace

std::vector<config::Endpoint> gateways_asked(const Options& options) {
  if (const std::string one = options.value("gateway"); !one.empty()) {
    const auto endpoint = config::parse_endpoint(one);
    if (!endpoint) fail("--gateway: " + endpoint.error().message);
    return {*endpoint};
  }
  auto gateways = load_config(options).control_gateways;
  for (auto& endpoint : gateways) {
    if (endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
  }
  if (gateways.empty()) fail("the configuration names no gateway: add control.gateways");
  return gateways;
}

// Each gateway reads its own file: the one here only says where they are.
int gateway_reload(const Options& options, std::ostream& out, std::ostream& err) {
  const auto replies = post_to_gateways(gateways_asked(options), "/reload", "", "reloaded", kTimeout);
  return show(options, out, err, replies, "reloaded", "go on with the configuration that they had");
}

int gateway_complete(const Options& options, std::ostream& out, std::ostream& err) {
  const json body{{"slice", options.arguments[0]},
                  {"side", options.arguments[1]},
                  {"keys", json::array({options.arguments[2]})},
                  {"reason", options.value("reason")},
                  {"by", who(options)}};
  const auto replies = post_to_gateways(gateways_asked(options), "/keys/complete", dump(body), "on record", kTimeout);
  return show(options, out, err, replies, "complete", "still take the key for incomplete");
}

int gateway_keys(const Options& options, std::ostream& out, std::ostream& err) {
  std::string target = "/keys?limit=" + (options.value("limit").empty() ? "1000" : url_encoded(options.value("limit")));
  if (!options.value("slice").empty()) target += "&slice=" + url_encoded(options.value("slice"));
  Table table({"GATEWAY", "SLICE", "BACKEND", "LACKS", "KEY"});
  json all = json::object();
  int status = 0;
  for (const auto& gateway : gateways_asked(options)) {
    const auto response = http::Client(gateway, kTimeout).request("GET", target, "");
    const json document = response ? json::parse(response->body, nullptr, false) : json();
    if (!response || response->status != 200 || !document.is_object()) {
      fmt::print(err, "phoenixctl: {} does not say: {}\n", gateway.to_string(),
                 response ? fmt::format("it answered {}", response->status) : response.error().message);
      status = 1;
      continue;
    }
    all[gateway.to_string()] = document;
    add_keys(table, gateway.to_string(), document);
  }
  if (options.has("json")) {
    out << dump(all) << "\n";
  } else if (table.empty()) {
    out << (status == 0 ? "both backends have every write of every key\n" : "");
  } else {
    out << table.render();
  }
  return status;
}

}  // namespace phoenix::orchestrator::cli
