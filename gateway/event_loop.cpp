#include "gateway/event_loop.hpp"

#include <algorithm>
#include <future>

#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {
namespace {

std::unique_ptr<Upstream> make_upstream(EventLoop& loop, const std::vector<config::Endpoint>& endpoints,
                                        std::size_t max_idle) {
  if (endpoints.empty()) return nullptr;
  const auto& gateway = loop.context.config.gateway;
  return std::make_unique<Upstream>(
      loop.io, loop.sweep, endpoints.front(),
      Upstream::Timeouts{gateway.timeouts.connect, gateway.timeouts.response, gateway.timeouts.idle},
      gateway.limits.head_bytes, max_idle);
}

}  // namespace

EventLoop::EventLoop(GatewayContext& shared, int number)
    : context(shared),
      random(random_seed() + static_cast<std::uint64_t>(number)),
      counters(shared.routes.routes().size(), shared.routes.slice_names().size()),
      work_(asio::make_work_guard(io)) {
  constexpr std::size_t kMostIdleServing = 1024;
  const auto& gateway = context.config.gateway;
  const auto loops = static_cast<std::size_t>(std::max(1, gateway.threads));
  const ShadowDispatcher::Limits limits{std::max<std::size_t>(1, gateway.limits.shadow_queue / loops),
                                        gateway.limits.shadow_queue_bytes / loops, gateway.limits.shadow_connections,
                                        gateway.limits.capture_bytes};
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto at = static_cast<std::size_t>(index(side));
    const auto& endpoints = side == Side::legacy ? gateway.legacy : gateway.modern;
    serving[at] = make_upstream(*this, endpoints, kMostIdleServing);
    shadow_upstream[at] = make_upstream(*this, endpoints, gateway.limits.shadow_connections);
    if (shadow_upstream[at]) shadow[at] = std::make_unique<ShadowDispatcher>(*this, *shadow_upstream[at], side, limits);
  }
}

EventLoop::~EventLoop() {
  io.destroy_suspended();
}

void EventLoop::run() {
  sweep.start();
  io.run();
}

void EventLoop::stop() {
  asio::post(io, [this] {
    sweep.stop();
    work_.reset();
    io.stop();
  });
}

void EventLoop::run_and_wait(const std::function<void()>& task) {
  // Shared, because the waiter may be gone while set_value() is still returning.
  const auto done = std::make_shared<std::promise<void>>();
  asio::post(io, [&task, done] {
    task();
    done->set_value();
  });
  done->get_future().wait();
}

}  // namespace phoenix::gateway
