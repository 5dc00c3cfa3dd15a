// Where phoenixctl finds the orchestrator and who asks, and the questions themselves. Every failure is one line for
// people.
#pragma once

#include <string>

#include "core/http/client.hpp"
#include "core/runtime/config.hpp"
#include "orchestrator/cli/options.hpp"

namespace phoenix::orchestrator::cli {

/// Ends a command with one line; thrown, because every step of a command may find out that it cannot go on.
[[noreturn]] void fail(const std::string& message);

/// --config, else $PHOENIX_CONFIG, else phoenix.yml here.
std::string config_path(const Options& options);
/// Throws Failure when it cannot be used.
config::Config load_config(const Options& options);

/// --by, else who is logged in. Never empty.
std::string who(const Options& options);

std::string url_encoded(const std::string& text);

/// The orchestrator's API, at --api or where the configuration says. Answers other than 2xx are thrown as Failure.
class ApiClient {
 public:
  explicit ApiClient(const Options& options);
  /// `target` is below /api/v1/; returns the body.
  std::string get(const std::string& target);
  std::string post(const std::string& target, const std::string& json_body);

 private:
  std::string ask(const std::string& method, const std::string& target, const std::string& body);

  config::Endpoint endpoint_;
  http::Client client_;
};

}  // namespace phoenix::orchestrator::cli
