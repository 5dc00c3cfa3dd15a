#include "arbiter/capture/capture_service.hpp"

#include <map>

#include "arbiter/capture/admin_page.hpp"
#include "arbiter/capture/side_capture.hpp"
#include "arbiter/capture/slot_monitor.hpp"
#include "core/events/event_log.hpp"
#include "core/http/server.hpp"

namespace phoenix::capture {

struct CaptureService::Impl {
  struct Side {
    SideStatus status;
    std::unique_ptr<SlotMonitor> monitor;
    std::unique_ptr<SideCapture> capture;
  };

  explicit Impl(const config::Config& configuration) : config(configuration), log(open_event_log(config)) {
    for (const auto& [name, side] :
         {std::pair{"legacy", &config.capture.legacy}, std::pair{"modern", &config.capture.modern}}) {
      if (!side->url.empty()) sides[name];
    }
    if (sides.empty())
      throw Failure(ErrorCode::invalid_input,
                    config.path + ": capture: nothing to capture; name legacy.url or modern.url");
    http::ServerOptions options;
    options.listen = config.capture.listen;
    server = std::make_unique<http::Server>(options, admin_handler([this] { return states(); }));
    for (auto& [name, side] : sides) {
      const auto& own = name == "legacy" ? config.capture.legacy : config.capture.modern;
      side.monitor = std::make_unique<SlotMonitor>(name, own, config.capture, side.status);
      side.capture = std::make_unique<SideCapture>(name, own, config, *log, side.status, clock);
    }
  }

  ~Impl() { server.reset(); }

  [[nodiscard]] SideStates states() const {
    SideStates result;
    for (const auto& [name, side] : sides) result.emplace(name, side.status.get());
    return result;
  }

  const config::Config config;
  const SystemClock clock;
  std::unique_ptr<EventLog> log;
  std::map<std::string, Side> sides;  // complete before any thread starts
  std::unique_ptr<http::Server> server;
};

CaptureService::CaptureService(const config::Config& config) : impl_(std::make_unique<Impl>(config)) {}
CaptureService::~CaptureService() = default;
config::Endpoint CaptureService::endpoint() const {
  return impl_->server->endpoint();
}

}  // namespace phoenix::capture
