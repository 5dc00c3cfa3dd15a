#include "orchestrator/cli/commands.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/model/decimal.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/cli/api_client.hpp"
#include "orchestrator/cli/cause_view.hpp"
#include "orchestrator/cli/explain_view.hpp"
#include "orchestrator/cli/gateway_commands.hpp"
#include "orchestrator/cli/status_view.hpp"
#include "orchestrator/cli/sweep_commands.hpp"
#include "orchestrator/cli/table.hpp"
#include "orchestrator/kill_switch.hpp"

namespace phoenix::orchestrator::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kDirectTimeout{3};

json parsed(const std::string& body) {
  auto document = json::parse(body, nullptr, false);
  if (!document.is_object()) fail("the orchestrator's answer is not what this version understands");
  return document;
}

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string cell(const json& row, const char* name) {
  const auto it = row.find(name);
  if (it == row.end() || it->is_null()) return "-";
  return it->is_string() ? it->get<std::string>() : it->dump();
}

/// Empty where a verdict needs none, absent with an arbiter of an older version.
std::string cause_cell(const json& row) {
  const std::string cause = cell(row, "cause");
  return cause.empty() ? "-" : cause;
}

// ---- commands -------------------------------------------------------------------------------------------------------

int status(const Options& options, std::ostream& out) {
  ApiClient api(options);
  while (true) {
    const std::string document = api.get("status");
    if (options.has("watch") && !options.has("json")) out << "\x1b[H\x1b[2J";
    if (options.has("json"))
      out << document << "\n";
    else
      out << render_status(document, SystemClock().unix_ms());
    out.flush();
    if (!options.has("watch") || !out) return 0;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

int act(const Options& options, std::ostream& out, const std::string& action) {
  const std::string& slice = options.arguments[0];
  json body{{"by", who(options)}, {"reason", options.value("reason")}};
  if (action == "weight") body["weight"] = options.arguments[1];
  if (action == "retire") {
    if (!options.has("yes-retire-" + slice)) {
      fail(
          fmt::format("retiring has no way back: afterwards modern alone serves. Confirm with --yes-retire-{}", slice));
    }
    body["confirm"] = "retire " + slice;
  }
  const std::string answer =
      ApiClient(options).post(fmt::format("slices/{}/{}", url_encoded(slice), action), dump(body));
  if (options.has("json")) {
    out << answer << "\n";
    return 0;
  }
  const json document = parsed(answer);
  const json& now = document.at("slice");
  fmt::print(out, "{}: {}{} at epoch {}{}{}\n", slice, now.at("stage").get<std::string>(),
             now.at("stage") == "canary" ? fmt::format(" {:g} %", now.at("weight").get<double>()) : "",
             document.at("epoch").get<std::uint64_t>(), now.at("paused").get<bool>() ? ", paused" : "",
             now.at("latched").get<bool>() ? ", latched" : "");
  for (const auto& note : document.at("notes")) fmt::print(out, "  {}\n", printable(note));
  return 0;
}

void print_replies(std::ostream& out, const json& gateways) {
  Table table({"GATEWAY", "ACKNOWLEDGED", "DETAIL"});
  for (const auto& gateway : gateways) {
    table.add({gateway.at("gateway"), gateway.at("acknowledged").get<bool>() ? "yes" : "NO", gateway.at("detail")});
  }
  if (!table.empty()) out << table.render();
}

int kill_direct(const Options& options, std::ostream& out, std::ostream& err) {
  const std::string slice = options.arguments.empty() ? "*" : options.arguments[0];
  const auto replies =
      kill_gateways(gateways_asked(options), {slice, options.value("reason"), who(options)}, kDirectTimeout);
  json gateways = json::array();
  std::size_t missing = 0;
  for (const auto& reply : replies) {
    missing += reply.acknowledged ? 0 : 1;
    gateways.push_back({{"gateway", reply.gateway}, {"acknowledged", reply.acknowledged}, {"detail", reply.detail}});
  }
  if (options.has("json"))
    out << json{{"slice", slice}, {"direct", true}, {"acknowledged", missing == 0}, {"gateways", gateways}}.dump()
        << "\n";
  else
    print_replies(out, gateways);
  if (missing == 0) return 0;
  fmt::print(err, "phoenixctl: {} of {} gateways did not acknowledge the kill: repeat it, or stop these gateways\n",
             missing, replies.size());
  return 1;
}

int kill(const Options& options, std::ostream& out, std::ostream& err) {
  if (options.has("direct")) return kill_direct(options, out, err);
  const std::string slice = options.arguments.empty() ? "*" : options.arguments[0];
  const std::string answer = ApiClient(options).post(
      "kill", dump({{"slice", slice}, {"by", who(options)}, {"reason", options.value("reason")}}));
  const json document = parsed(answer);
  const bool acknowledged = document.at("acknowledged");
  if (options.has("json")) {
    out << answer << "\n";
  } else {
    std::string slices;
    for (const auto& name : document.at("slices")) slices += (slices.empty() ? "" : ", ") + printable(name);
    fmt::print(out, "killed: {}\n", slices.empty() ? "(see notes)" : slices);
    for (const auto& note : document.at("notes")) fmt::print(out, "  {}\n", printable(note));
    print_replies(out, document.at("gateways"));
  }
  if (acknowledged) return 0;
  fmt::print(err, "phoenixctl: not every gateway acknowledged the kill: repeat it with --direct\n");
  return 1;
}

int verdicts(const Options& options, std::ostream& out) {
  std::string query;
  for (const char* filter : {"slice", "route", "kind", "account", "since", "limit"}) {
    if (options.value(filter).empty()) continue;
    query += fmt::format("{}{}={}", query.empty() ? "?" : "&", filter, url_encoded(options.value(filter)));
  }
  const std::string answer = ApiClient(options).get("verdicts" + query);
  if (options.has("json")) {
    out << answer << "\n";
    return 0;
  }
  Table table({"TIME", "VERDICT", "CAUSE", "ROUTE", "ACCOUNT", "EXCHANGE", "DETAIL"});
  const json document = parsed(answer);
  for (const auto& row : document.at("verdicts")) {
    const std::string time = cell(row, "event_time");
    table.add({time.substr(0, std::min<std::size_t>(time.size(), 19)), cell(row, "verdict"), cause_cell(row),
               cell(row, "route"), cell(row, "account"), cell(row, "exchange_id"), cell(row, "detail")});
  }
  out << (table.empty() ? "no verdicts\n" : table.render());
  return 0;
}

int causes(const Options& options, std::ostream& out) {
  std::string query;
  for (const char* filter : {"slice", "limit"}) {
    if (options.value(filter).empty()) continue;
    query += fmt::format("{}{}={}", query.empty() ? "?" : "&", filter, url_encoded(options.value(filter)));
  }
  const std::string answer = ApiClient(options).get("groups" + query);
  out << (options.has("json") ? answer + "\n" : render_groups(answer));
  return 0;
}

int noise(const Options& options, std::ostream& out) {
  const std::string slice = options.value("slice");
  const std::string answer =
      ApiClient(options).get(slice.empty() ? "noise" : fmt::format("noise?slice={}", url_encoded(slice)));
  out << (options.has("json") ? answer + "\n" : render_noise(answer));
  return 0;
}

/// The route's ignore rules where a configuration is at hand; explaining works without.
std::vector<std::string> ignore_rules(const Options& options, const std::string& document) {
  const auto config = config::load(config_path(options));
  if (!config) return {};
  const json parsed_document = parsed(document);
  const json header = parsed_document.at("exchange").value("header", json::object());
  for (const auto& route : config->gateway.routes) {
    if (route.name == header.value("route", "")) return route.compare.ignore;
  }
  return {};
}

int explain(const Options& options, std::ostream& out) {
  const std::string document = ApiClient(options).get("exchanges/" + url_encoded(options.arguments[0]));
  if (options.has("json"))
    out << document << "\n";
  else
    out << render_exchange(document, ignore_rules(options, document));
  return 0;
}

std::string minor_text(const json& row, const char* name) {
  const auto it = row.find(name);
  if (it == row.end() || !it->is_number_integer()) return "-";
  const auto currency = row.find("currency");
  return format_minor(it->get<std::int64_t>(), currency != row.end() && currency->is_string()
                                                   ? minor_unit_digits(currency->get<std::string>())
                                                   : 2);
}

int drift(const Options& options, std::ostream& out) {
  const std::string answer = ApiClient(options).get("drift");
  if (options.has("json")) {
    out << answer << "\n";
    return 0;
  }
  Table table({"SLICE", "ACCOUNT", "CURRENCY", "LEGACY", "MODERN", "GAP"});
  const json document = parsed(answer);
  for (const auto& row : document.at("drift")) {
    table.add({cell(row, "slice"), cell(row, "account"), cell(row, "currency"), cell(row, "legacy_balance"),
               cell(row, "modern_balance"), minor_text(row, "gap_minor")});
  }
  out << (table.empty() ? "no drift: no account with a known difference\n" : table.render());
  return 0;
}

int history(const Options& options, std::ostream& out, std::ostream& err) {
  std::string query = "limit=" + (options.value("limit").empty() ? "50" : url_encoded(options.value("limit")));
  if (options.has("verify")) query += "&verify=true";
  const std::string answer = ApiClient(options).get("history?" + query);
  const json document = parsed(answer);
  if (options.has("json")) {
    out << answer << "\n";
  } else {
    Table table({"SEQ", "TIME (UTC)", "WHO", "ACTION", "SLICE", "FROM", "TO", "REASON"});
    for (const auto& row : document.at("history")) {
      table.add({cell(row, "seq"), utc_time(row.at("at_unix_ms")), cell(row, "who"), cell(row, "action"),
                 cell(row, "slice"), cell(row, "from"), cell(row, "to"), cell(row, "reason")});
    }
    out << table.render();
  }
  if (!options.has("verify")) return 0;
  const json& check = document.at("verification");
  if (check.at("intact").get<bool>()) {
    if (!options.has("json"))
      fmt::print(out, "the chain of {} records is intact\n", check.at("records").get<std::int64_t>());
    return 0;
  }
  fmt::print(err, "phoenixctl: the audit record is NOT intact: {}\n", check.at("detail").get<std::string>());
  return 1;
}

int config_check(const Options& options, std::ostream& out) {
  const auto config = config::load(options.arguments[0]);
  if (!config) fail(config.error().message);
  if (options.has("json"))
    out << json{{"valid", true}, {"file", config->path}, {"hash", config->hash}}.dump() << "\n";
  else
    fmt::print(out, "{}: valid (migration {}, {} slices, {} routes)\n", config->path, config->migration_name,
               config->slices.size(), config->gateway.routes.size());
  return 0;
}

}  // namespace

int run_command(const Options& options, std::ostream& out, std::ostream& err) {
  try {
    const std::string& command = options.command;
    if (command == "status") return status(options, out);
    if (command == "weight set") return act(options, out, "weight");
    if (command == "kill") return kill(options, out, err);
    if (command == "verdicts") return verdicts(options, out);
    if (command == "causes") return causes(options, out);
    if (command == "noise") return noise(options, out);
    if (command == "explain") return explain(options, out);
    if (command == "drift") return drift(options, out);
    if (command == "history") return history(options, out, err);
    if (command == "gateway reload") return gateway_reload(options, out, err);
    if (command == "gateway keys") return gateway_keys(options, out, err);
    if (command == "gateway complete") return gateway_complete(options, out, err);
    if (command == "resync") return resync(options, out, err);
    if (command == "sweep") return sweep(options, out, err);
    if (command == "config check") return config_check(options, out);
    return act(options, out, command);  // pause, resume, approve, reset, promote, retire
  } catch (const Failure& failure) {
    fmt::print(err, "phoenixctl: {}\n", failure.what());
  } catch (const json::exception& e) {
    fmt::print(err, "phoenixctl: the orchestrator's answer is not what this version understands: {}\n", e.what());
  }
  return 1;
}

}  // namespace phoenix::orchestrator::cli
