#include "orchestrator/cli/api_client.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace phoenix::orchestrator::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kTimeout{15};

config::Endpoint api_endpoint(const Options& options) {
  if (!options.value("api").empty()) {
    const auto endpoint = config::parse_endpoint(options.value("api"));
    if (!endpoint) fail("--api: " + endpoint.error().message);
    return *endpoint;
  }
  auto endpoint = load_config(options).orchestrator.listen;
  if (endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
  return endpoint;
}

/// The `detail` of problem JSON.
std::string detail_of(const http::ClientResponse& response) {
  const auto document = json::parse(response.body, nullptr, false);
  if (document.is_object() && document.contains("detail") && document["detail"].is_string())
    return document["detail"].get<std::string>();
  return fmt::format("the orchestrator answered {}", response.status);
}

}  // namespace

void fail(const std::string& message) {
  throw Failure(ErrorCode::unavailable, message);
}

std::string config_path(const Options& options) {
  if (!options.value("config").empty()) return options.value("config");
  const char* environment = std::getenv("PHOENIX_CONFIG");
  return environment != nullptr && *environment != '\0' ? environment : "phoenix.yml";
}

config::Config load_config(const Options& options) {
  auto config = config::load(config_path(options));
  if (!config) fail(config.error().message + " (name the file with --config, or the API with --api HOST:PORT)");
  return std::move(*config);
}

std::string who(const Options& options) {
  if (!options.value("by").empty()) return options.value("by");
  for (const char* name : {"SUDO_USER", "USER", "LOGNAME"}) {
    if (const char* user = std::getenv(name); user != nullptr && *user != '\0') return user;
  }
  // A kill must not fail for want of an environment.
  const passwd* user = getpwuid(geteuid());
  return user != nullptr ? user->pw_name : fmt::format("uid {}", geteuid());
}

std::string url_encoded(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' || c == '~')
      encoded += c;
    else
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

ApiClient::ApiClient(const Options& options) : endpoint_(api_endpoint(options)), client_(endpoint_, kTimeout) {}

std::string ApiClient::get(const std::string& target) {
  return ask("GET", target, "");
}
std::string ApiClient::post(const std::string& target, const std::string& json_body) {
  return ask("POST", target, json_body);
}

std::string ApiClient::ask(const std::string& method, const std::string& target, const std::string& body) {
  const auto response = client_.request(method, "/api/v1/" + target, body, {{"Content-Type", "application/json"}});
  if (!response) {
    fail(fmt::format(
        "no orchestrator answers at {} ({}); is it running? in an emergency: phoenixctl kill --direct --reason TEXT",
        endpoint_.to_string(), response.error().message));
  }
  if (response->status / 100 != 2) fail(detail_of(*response));
  return response->body;
}

}  // namespace phoenix::orchestrator::cli
