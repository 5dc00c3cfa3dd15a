// The section `gateway`: routes, backends, TLS, limits.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <cctype>
#include <set>

#include "core/runtime/config_section.hpp"

namespace phoenix::config {
namespace {

void read_key(Section key, KeyConfig& out) {
  key.read("json", out.json);
  key.read("path", out.path);
  key.read("header", out.header);
  key.read("query", out.query);
  key.finish();
  const int sources = (out.json.empty() ? 0 : 1) + (out.path.empty() ? 0 : 1) + (out.header.empty() ? 0 : 1) +
                      (out.query.empty() ? 0 : 1);
  if (sources > 1) key.fail("name one source: json, path, header or query");
  for (const auto& pointer : out.json) {
    if (!pointer.starts_with('/')) key.fail(fmt::format("json pointer '{}' must start with '/'", pointer));
  }
}

void check_route(Section& route, const RouteConfig& config, const Config& all) {
  if (config.name.empty()) route.fail("needs a name");
  if (config.name == "unmatched")
    route.fail("the name 'unmatched' stands for requests that match no route; choose another");
  if (!config.path.starts_with('/')) route.fail("match.path must start with '/'");
  if (all.find_slice(config.slice) == nullptr)
    route.fail(fmt::format("slice '{}' is not declared under slices", config.slice));
  if (!config.key.path.empty() && config.path.find("{" + config.key.path + "}") == std::string::npos) {
    route.fail(fmt::format("key.path '{}' is no segment of the template {}", config.key.path, config.path));
  }
  if (!config.compare.balance.empty() && config.key.none())
    route.fail("compare.balance needs a key: it is that key's balance");
}

void read_routes(Section& gateway, GatewayConfig& out, const Config& all) {
  std::set<std::string> names;
  for (Section& route : gateway.list("routes")) {
    RouteConfig config;
    config.line = route.line();
    config.slice = all.find_slice("default") != nullptr || all.slices.size() != 1 ? "default" : all.slices.front().name;
    route.read("name", config.name);
    route.read("slice", config.slice);
    Section match = route.section("match");
    match.read("methods", config.methods);
    match.read("path", config.path);
    match.finish();
    read_key(route.section("key"), config.key);
    route.read_choice("shadow", config.shadow,
                      {{"off", ShadowMode::off}, {"reads", ShadowMode::reads}, {"dual", ShadowMode::dual}});
    if (route.has("shadow_sample")) route.read_weight("shadow_sample", config.shadow_sample_basis_points);
    if (route.has("calibrate")) route.read_weight("calibrate", config.calibrate_basis_points);
    route.read_choice("ordering", config.ordering,
                      {{"none", Ordering::none}, {"key", Ordering::key}, {"strict", Ordering::strict}});
    route.read("idempotent", config.idempotent);
    route.read_choice(
        "reads_balance", config.reads_balance,
        {{"none", ReadsBalance::none}, {"refusal", ReadsBalance::refusal}, {"amount", ReadsBalance::amount}});
    route.read_choice("parachute", config.parachute,
                      {{"off", Parachute::off}, {"safe", Parachute::safe}, {"writes", Parachute::writes}});
    route.read("creates", config.creates);
    route.read_choice("posting", config.posting, {{"sync", Posting::sync}, {"async", Posting::async}});
    if (route.has("async_max") && config.posting != Posting::async)
      route.fail("async_max bounds how long a posting may take: it needs posting: async");
    route.read("async_max", config.async_max);
    read_compare(route.section("compare"), config);
    route.finish();
    check_route(route, config, all);
    if (!names.insert(config.name).second) route.fail(fmt::format("route '{}' is declared twice", config.name));
    out.routes.push_back(std::move(config));
  }
}

Result<BackendEndpoint> parse_backend_endpoint(const std::string& text) {
  BackendEndpoint out;
  if (text.starts_with("unix:")) {
    out.unix_path = text.substr(5);
    constexpr std::size_t kLongest = 107;  // sun_path, less its final NUL
    if (!out.unix_path.starts_with('/') || out.unix_path.size() > kLongest)
      return invalid_input(fmt::format("'{}': write unix:/PATH, at most {} bytes of path", text, kLongest));
    return out;
  }
  std::string address = text;
  out.tls = text.starts_with("https://");
  if (out.tls) {
    address.erase(4, 1);
    const bool has_port = address.rfind(':') > std::max<std::size_t>(4, address.find(']') + 1);
    if (!has_port) address.insert(address.ends_with('/') ? address.size() - 1 : address.size(), ":443");
  }
  auto parsed = parse_endpoint(address);
  if (!parsed) {
    std::string problem = parsed.error().message;  // it quotes what was made of the text
    if (const auto at = problem.find(address); at != std::string::npos) problem.replace(at, address.size(), text);
    return invalid_input(problem);
  }
  out.address = *parsed;
  return out;
}

void read_endpoints(Section& backend, std::vector<BackendEndpoint>& out) {
  const auto add = [&](const std::string& text, int weight) -> std::optional<Error> {
    auto endpoint = parse_backend_endpoint(text);
    if (!endpoint) return endpoint.error();
    endpoint->weight = weight;
    for (const auto& other : out) {
      if (other.name() == endpoint->name()) return invalid_input(fmt::format("'{}' stands here twice", text));
    }
    out.push_back(std::move(*endpoint));
    return std::nullopt;
  };
  backend.read_each(
      "endpoints", [&](const std::string& text) { return add(text, 1); },
      [&](Section& mapping) {
        std::string url;
        int weight = 1;
        mapping.read("url", url);
        mapping.read("weight", weight, 1, 1000);
        mapping.finish();
        if (const auto error = add(url, weight)) mapping.fail(error->message);
      });
}

void read_backend(Section backend, BackendConfig& out) {
  read_endpoints(backend, out.endpoints);
  backend.read_choice("balance", out.balance,
                      {{"round_robin", Balance::round_robin},
                       {"least_requests", Balance::least_requests},
                       {"weighted", Balance::weighted},
                       {"consistent_hash", Balance::consistent_hash}});
  backend.read("host", out.host);
  if (out.host.find_first_of(" \t\r\n,/@") != std::string::npos)
    backend.fail(fmt::format("host: '{}' is no value for the Host field; write NAME or NAME:PORT", out.host));
  backend.read_count("in_flight", out.in_flight);
  backend.read("resolve", out.resolve);
  backend.read("keep_idle", out.keep_idle);
  Section tls = backend.section("tls");
  tls.read("ca_file", out.tls.ca_file);
  tls.read("server_name", out.tls.server_name);
  tls.read("certificate", out.tls.certificate);
  tls.read("private_key", out.tls.private_key);
  tls.read("verify", out.tls.verify);
  tls.finish();
  if (out.tls.certificate.empty() != out.tls.private_key.empty())
    tls.fail("certificate and private_key belong together");
  Section check = backend.section("health_check");
  check.read("path", out.health_check.path);
  check.read("interval", out.health_check.interval);
  check.read("timeout", out.health_check.timeout);
  check.read("healthy_after", out.health_check.healthy_after, 1, 100);
  check.read("unhealthy_after", out.health_check.unhealthy_after, 1, 100);
  check.finish();
  if (!out.health_check.path.empty() && !out.health_check.path.starts_with('/')) check.fail("path must start with '/'");
  for (const char c : out.health_check.path) {
    if (c <= ' ' || c >= 0x7f)
      check.fail("path must be written as it stands in a request: no blanks, %XX for the rest");
  }
  if (out.health_check.timeout < milliseconds(1)) check.fail("timeout must be at least 1ms");
  if (out.health_check.interval < milliseconds(10)) check.fail("interval must be at least 10ms");
  Section ejection = backend.section("ejection");
  ejection.read("failures", out.ejection.failures, 0, 1000);
  ejection.read("duration", out.ejection.duration);
  ejection.read("max_percent", out.ejection.max_percent, 0, 100);
  ejection.finish();
  Section breaker = backend.section("circuit_breaker");
  breaker.read("failures", out.circuit_breaker.failures, 0, 1000);
  breaker.read("open", out.circuit_breaker.open);
  breaker.finish();
  read_shadow_auth(backend.section("shadow_auth"), out.shadow_auth);
  backend.finish();
}

void check_network(Section& gateway, const std::string& text) {
  boost::system::error_code no_v4;
  boost::system::error_code no_v6;
  const std::string v4 = text.find('/') == std::string::npos ? text + "/32" : text;
  const std::string v6 = text.find('/') == std::string::npos ? text + "/128" : text;
  boost::asio::ip::make_network_v4(v4, no_v4);
  boost::asio::ip::make_network_v6(v6, no_v6);
  if (no_v4 && no_v6)
    gateway.fail(fmt::format("trusted_proxies: '{}' is neither an address nor a block like 10.0.0.0/8", text));
}

void read_listener(Section& gateway, GatewayConfig& out) {
  Section tls = gateway.section("tls");
  tls.read("certificate", out.tls.certificate);
  tls.read("private_key", out.tls.private_key);
  tls.read("client_ca", out.tls.client_ca);
  tls.read("min_version", out.tls.min_version);
  tls.finish();
  if (out.tls.certificate.empty() != out.tls.private_key.empty())
    tls.fail("certificate and private_key belong together");
  if (!out.tls.client_ca.empty() && !out.tls.enabled()) tls.fail("client_ca needs certificate and private_key");
  if (out.tls.min_version != "1.2" && out.tls.min_version != "1.3") tls.fail("min_version is 1.2 or 1.3");
  gateway.read("proxy_protocol", out.proxy_protocol);
  gateway.read("trusted_proxies", out.trusted_proxies);
  for (const auto& block : out.trusted_proxies) check_network(gateway, block);
  gateway.read("upgrade", out.upgrade);
  for (const auto& protocol : out.upgrade) {
    // A tunnelled h2c carries requests that nobody here would see or check.
    std::string lower = protocol;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (lower == "h2c" || lower.starts_with("http") || lower.starts_with("tls") || lower.empty())
      gateway.fail(
          fmt::format("upgrade: '{}' would carry requests past every check and is never let through", protocol));
  }
  Section log = gateway.section("access_log");
  log.read("path", out.access_log.path);
  if (log.has("sample")) {
    std::uint32_t basis_points = 10'000;
    log.read_weight("sample", basis_points);
    out.access_log.sample = basis_points / 10'000.0;
  }
  log.finish();
  Section drain = gateway.section("drain");
  drain.read("delay", out.drain.delay);
  drain.read("deadline", out.drain.deadline);
  drain.finish();
}

void read_timeouts(Section timeouts, GatewayConfig::Timeouts& out) {
  timeouts.read("connect", out.connect);
  timeouts.read("response", out.response);
  timeouts.read("idle", out.idle);
  timeouts.read("keep_alive", out.keep_alive);
  timeouts.read("request_head", out.request_head);
  timeouts.read("gate_wait", out.gate_wait);
  timeouts.read("total", out.total);
  timeouts.finish();
}

void read_limits(Section limits, GatewayConfig::Limits& out) {
  limits.read_bytes("head_bytes", out.head_bytes);
  limits.read_bytes("target_bytes", out.target_bytes);
  limits.read_bytes("body_bytes", out.body_bytes);
  limits.read_bytes("shadow_body_bytes", out.shadow_body_bytes);
  limits.read_bytes("capture_bytes", out.capture_bytes);
  limits.read_bytes("key_body_bytes", out.key_body_bytes);
  limits.read_count("connections", out.connections);
  limits.read_count("max_keys", out.max_keys);
  limits.read_count("shadow_queue", out.shadow_queue);
  limits.read_bytes("shadow_queue_bytes", out.shadow_queue_bytes);
  limits.read_count("shadow_connections", out.shadow_connections);
  limits.read_bytes("shadow_response_bytes", out.shadow_response_bytes);
  limits.read_bytes("spool_bytes", out.spool_bytes);
  limits.read("spool_age", out.spool_age);
  limits.read_bytes("event_spool_bytes", out.event_spool_bytes);
  limits.finish();
  if (out.shadow_connections == 0) limits.fail("shadow_connections must be at least 1");
  constexpr std::uint64_t kLeastSpool = 512 << 10;
  if (out.spool_age < milliseconds(1000)) limits.fail("spool_age must be at least 1s");
  if (out.spool_bytes < kLeastSpool) limits.fail("spool_bytes must be at least 512KiB");
  if (out.event_spool_bytes < kLeastSpool) limits.fail("event_spool_bytes must be at least 512KiB");
  if (out.head_bytes < 1024) limits.fail("head_bytes must be at least 1KiB");
  if (out.target_bytes < 256 || out.target_bytes > out.head_bytes)
    limits.fail("target_bytes must be at least 256 and at most head_bytes");
}

void require_modern(Section& gateway, const Config& all) {
  for (const auto& slice : all.slices) {
    if (slice.stage == Stage::bypass || slice.stage == Stage::shadow) continue;
    gateway.fail(fmt::format("modern.endpoints is missing, but slice '{}' starts in stage {}", slice.name,
                             to_string(slice.stage)));
  }
}

}  // namespace

std::string BackendEndpoint::name() const {
  return unix_path.empty() ? address.to_string() : "unix:" + unix_path;
}

void read_gateway(Section gateway, GatewayConfig& out, const Config& all) {
  char host[256] = "gateway";
  gethostname(host, sizeof host - 1);
  out.id = host;
  gateway.read("id", out.id);
  gateway.read("state_dir", out.state_dir);
  gateway.read("listen", out.listen);
  gateway.read("admin_listen", out.admin_listen);
  gateway.read("threads", out.threads, 0, 256);
  gateway.read_choice("on_control_loss", out.on_control_loss,
                      {{"hold", OnControlLoss::hold}, {"legacy", OnControlLoss::legacy}});
  read_backend(gateway.section("legacy"), out.legacy);
  read_backend(gateway.section("modern"), out.modern);
  read_listener(gateway, out);
  read_timeouts(gateway.section("timeouts"), out.timeouts);
  read_limits(gateway.section("limits"), out.limits);
  read_redact(gateway.section("redact"), out.redact);
  if (gateway.has("override")) read_override(gateway.section("override"), out.side_override);
  read_routes(gateway, out, all);
  gateway.finish();
  if (out.legacy.empty())
    gateway.fail("legacy.endpoints is missing: name the running system, like [\"http://127.0.0.1:8081\"]");
  if (out.modern.empty()) require_modern(gateway, all);
}

}  // namespace phoenix::config
