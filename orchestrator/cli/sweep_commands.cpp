#include "orchestrator/cli/sweep_commands.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "orchestrator/cli/api_client.hpp"
#include "orchestrator/cli/sweep_view.hpp"

namespace phoenix::orchestrator::cli {
namespace {

using nlohmann::json;

json parsed(const std::string& text) {
  auto document = json::parse(text, nullptr, false);
  if (!document.is_object()) fail("the orchestrator's answer is not what this version understands");
  return document;
}

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool is_open(const json& sweep) {
  const auto state = sweep.value("state", "");
  return state == "requested" || state == "running";
}

int show_list(ApiClient& api, const Options& options, std::ostream& out) {
  const std::string answer = api.get("sweeps");
  out << (options.has("json") ? answer + "\n" : render_sweeps(answer));
  return 0;
}

int show_one(ApiClient& api, const Options& options, std::ostream& out) {
  const std::string answer = api.get("sweeps/" + url_encoded(options.arguments[0]));
  out << (options.has("json") ? answer + "\n" : render_sweep(answer));
  return 0;
}

int watch(ApiClient& api, const std::string& id, const Options& options, std::ostream& out, std::ostream& err) {
  while (out) {
    const std::string answer = api.get("sweeps/" + id);
    const json sweep = parsed(answer).at("sweep");
    if (!is_open(sweep)) {
      out << (options.has("json") ? answer + "\n" : render_sweep(answer));
      if (sweep.value("state", "") == "finished") return 0;
      fmt::print(err, "phoenixctl: sweep {} {}: {}\n", id, sweep.value("state", ""), sweep.value("problem", ""));
      return 1;
    }
    if (!options.has("json")) {
      out << render_sweep_line(dump(sweep)) << "\n";
      out.flush();
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  return 1;
}

}  // namespace

int sweep(const Options& options, std::ostream& out, std::ostream& err) {
  ApiClient api(options);
  if (!options.arguments.empty() && options.has("watch")) return watch(api, options.arguments[0], options, out, err);
  if (!options.arguments.empty()) return show_one(api, options, out);
  if (options.has("status")) return show_list(api, options, out);
  json body{{"by", who(options)}, {"action", options.has("cancel") ? "cancel" : "start"}};
  if (!options.value("slice").empty()) body["slice"] = options.value("slice");
  const std::string answer = api.post("sweep", dump(body));
  const json document = parsed(answer);
  if (options.has("cancel")) {
    const bool cancelled = document.value("cancelled", false);
    out << (options.has("json") ? answer + "\n" : cancelled ? "cancelled\n" : "no sweep is open\n");
    return cancelled ? 0 : 1;
  }
  const std::string id = document.at("sweep").dump();
  if (options.has("watch")) return watch(api, id, options, out, err);
  if (options.has("json")) {
    out << answer << "\n";
  } else {
    fmt::print(out, "sweep {} of slice {} {}: phoenixctl sweep {} --watch\n", id, document.value("slice", ""),
               document.value("requested", false) ? "begins" : "is under way already", id);
  }
  return 0;
}

int resync(const Options& options, std::ostream& out, std::ostream& err) {
  json body{{"key", options.arguments[0]},
            {"by", who(options)},
            {"reason", options.value("reason")},
            {"apply", options.has("apply")}};
  if (!options.value("from").empty()) body["from"] = options.value("from");
  const std::string answer =
      ApiClient(options).post(fmt::format("slices/{}/resync", url_encoded(options.value("slice"))), dump(body));
  const json document = parsed(answer);
  const json gateways = document.value("gateways", json::array());
  std::size_t missing = 0;
  for (const auto& gateway : gateways) missing += gateway.value("complete", false) ? 0 : 1;
  out << (options.has("json") ? answer + "\n" : render_resync(answer));
  if (missing == 0) return 0;
  fmt::print(err, "phoenixctl: {} of {} gateways still take the key for incomplete: phoenixctl gateway complete\n",
             missing, gateways.size());
  return 1;
}

}  // namespace phoenix::orchestrator::cli
