#include "gateway/health_checker.hpp"

#include <fmt/format.h>

#include "gateway/message_head.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::size_t kLongestHead = 64 * 1024;

std::string request_for(const config::BackendConfig& backend, const config::BackendEndpoint& endpoint) {
  const std::string host = !backend.host.empty()        ? backend.host
                           : endpoint.unix_path.empty() ? endpoint.address.to_string()
                                                        : std::string("localhost");
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: phoenix-health-check\r\nConnection: close\r\n\r\n",
                     backend.health_check.path, host);
}

}  // namespace

struct HealthChecker::Check {
  Check(asio::io_context& io, DeadlineSweep& sweep, BackendStatePtr of, std::size_t number,
        const std::shared_ptr<TlsContext>& tls)
      : backend(std::move(of)),
        endpoint(number),
        dialer(io, sweep, backend->config.endpoints[number], backend->config, tls),
        request(request_for(backend->config, backend->config.endpoints[number])),
        pause(io.get_executor()) {}
  const BackendStatePtr backend;
  const std::size_t endpoint;
  Dialer dialer;
  const std::string request;
  Timer pause;
  bool stopped = false;
};

HealthChecker::HealthChecker(asio::io_context& io, DeadlineSweep& sweep, const BackendStatePtr& backend,
                             const std::shared_ptr<TlsContext>& tls) {
  if (backend->config.health_check.path.empty()) return;
  for (std::size_t i = 0; i < backend->endpoints.size(); ++i) {
    checks_.push_back(std::make_shared<Check>(io, sweep, backend, i, tls));
    spawn(io, run(checks_.back()));
  }
}

HealthChecker::~HealthChecker() {
  for (const auto& check : checks_) {
    check->stopped = true;
    check->pause.cancel();
  }
}

// Both ways it takes several answers in a row, so that one lost packet changes nothing.
Awaitable<void> HealthChecker::run(std::shared_ptr<Check> check) {
  const auto& settings = check->backend->config.health_check;
  int good = 0;
  int bad = 0;
  while (!check->stopped) {
    const bool answered_well = co_await ask(*check);
    if (check->stopped) break;
    good = answered_well ? good + 1 : 0;
    bad = answered_well ? 0 : bad + 1;
    if (good >= settings.healthy_after) check->backend->note_health(check->endpoint, true);
    if (bad >= settings.unhealthy_after) check->backend->note_health(check->endpoint, false);
    check->pause.expires_after(settings.interval);
    co_await check->pause.async_wait(kAwait);
  }
}

Awaitable<bool> HealthChecker::ask(Check& check) {
  const auto timeout = check.backend->config.health_check.timeout;
  Dialled dialled = co_await check.dialer.dial(timeout);
  check.backend->note_connect(check.endpoint, dialled.connection != nullptr, dialled.why);
  if (!dialled.connection) co_return false;
  UpstreamConnection& connection = *dialled.connection;
  connection.deadline.arm(timeout);
  const auto [unsent, bytes] = co_await asio::async_write(connection.stream, asio::buffer(check.request), kAwait);
  if (unsent) co_return false;
  std::size_t scanned = 0;
  while (connection.buffer.size() <= kLongestHead && !connection.deadline.expired()) {
    const HeadEnd end = find_head_end(connection.buffer.view(), scanned);
    if (end.state == HeadEnd::State::bare_line_feed) break;
    if (end.state == HeadEnd::State::complete) {
      ResponseHead head;
      const std::string text = std::string(connection.buffer.view().substr(0, end.length));
      co_return !parse_response_head(text, "GET", head) && head.status >= 200 && head.status < 400;
    }
    if (co_await connection.stream.read(connection.buffer, SocketReader::Place::within_message)) break;
  }
  co_return false;
}

}  // namespace phoenix::gateway
