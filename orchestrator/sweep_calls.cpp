#include "orchestrator/sweep_calls.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/http/client.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::orchestrator {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kTimeout{8};

}  // namespace

http::Response post_sweep(const config::Config& config, const std::string& body) {
  const json document = json::parse(body, nullptr, false);
  if (!document.is_object() || !document.contains("by") || !document["by"].is_string() ||
      document["by"].get_ref<const std::string&>().empty())
    return http::problem_of(invalid_input("'by' is required and must not be empty"));
  config::Endpoint arbiter = config.control_arbiter;
  if (arbiter.host == "0.0.0.0") arbiter.host = "127.0.0.1";
  http::Client client(arbiter, kTimeout);
  const auto answer = client.request("POST", "/sweep", body, {{"Content-Type", "application/json"}});
  if (!answer) {
    return http::problem_of(unavailable(fmt::format("the arbiter (control.arbiter, {}) does not answer: {}",
                                                    arbiter.to_string(), answer.error().message)));
  }
  http::Response response = http::json_text(answer->status, answer->body);
  if (answer->status / 100 != 2) {
    response.content_type = answer->header("Content-Type");
  } else {
    log::info("sweep of slice '{}' asked for by {}", document.value("slice", ""), document["by"].dump());
  }
  return response;
}

}  // namespace phoenix::orchestrator
