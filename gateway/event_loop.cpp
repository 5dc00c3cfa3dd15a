#include "gateway/event_loop.hpp"

#include <pthread.h>

#include <algorithm>
#include <future>

#include "gateway/account_file.hpp"
#include "gateway/recycled_memory.hpp"
#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {
namespace {

UpstreamPtr make_upstream(EventLoop& loop, const BackendStatePtr& backend, Upstream::Use use) {
  if (!backend) return nullptr;
  constexpr std::size_t kMostIdleServing = 1024;
  const auto& gateway = loop.settings->gateway;
  const auto& timeouts = gateway.timeouts;
  return std::make_shared<Upstream>(
      loop.io, loop.sweep, loop.random, backend,
      Upstream::Options{use,
                        {timeouts.connect, timeouts.response, timeouts.idle},
                        gateway.limits.head_bytes,
                        use == Upstream::Use::serving ? kMostIdleServing : gateway.limits.shadow_connections,
                        loop.settings->backend_tls[static_cast<std::size_t>(index(backend->side))]});
}

}  // namespace

EventLoop::EventLoop(GatewayContext& shared, const SettingsPtr& first, int number)
    : context(shared),
      random(random_seed() + static_cast<std::uint64_t>(number)),
      counters(shared.slice_names.size()),
      number_(number),
      work_(asio::make_work_guard(io)) {
  sweep.also = [this](SteadyTime now) {
    for (const auto& dispatcher : shadow) {
      if (dispatcher) dispatcher->drop_expired(now);
    }
    for (auto* upstreams : {&serving, &shadow_upstream}) {
      for (const auto& upstream : *upstreams) {
        if (upstream) upstream->close_old(now);
      }
    }
    free_memory(now);
  };
  adopt(first);
}

// What a burst left, once it is over.
void EventLoop::free_memory(SteadyTime now) {
  constexpr std::chrono::milliseconds kEvery{500};
  if (now < memory_freed_at_ + kEvery) return;
  memory_freed_at_ = now;
  RecycledMemory::free_unused();
  free_unused_exchange_memory();
}

void EventLoop::adopt(const SettingsPtr& shared) {
  // A count of its own for each loop: one shared by all would be contended at every request.
  settings = SettingsPtr(shared.get(), [keep = shared](const Settings*) {});
  counters.use(context.accounts.accounts_of_loop(static_cast<std::size_t>(number_)));
  const auto& gateway = settings->gateway;
  for (const Side side : {Side::legacy, Side::modern}) {
    const auto at = static_cast<std::size_t>(index(side));
    const auto& backend = side == Side::legacy ? gateway.legacy : gateway.modern;
    checker_[at] = nullptr;
    const BackendStatePtr state = backend.empty() ? nullptr : context.backends.find(side, backend);
    replace(side, serving[at], make_upstream(*this, state, Upstream::Use::serving));
    replace(side, shadow_upstream[at], make_upstream(*this, state, Upstream::Use::shadow));
    if (!state) continue;
    if (!shadow[at]) shadow[at] = std::make_unique<ShadowDispatcher>(*this, side);
    shadow[at]->settings_changed();
    if (number_ == 0) checker_[at] = std::make_unique<HealthChecker>(io, sweep, state, settings->backend_tls[at]);
  }
}

// What is out on the old upstream ends there; nothing new begins on it, and its idle connections are closed.
void EventLoop::replace(Side side, UpstreamPtr& held, UpstreamPtr next) {
  auto& old = replaced[static_cast<std::size_t>(index(side))];
  std::erase_if(old, [](const std::weak_ptr<Upstream>& upstream) { return upstream.expired(); });
  if (held) {
    held->retire();
    old.push_back(held);
  }
  held = std::move(next);
}

EventLoop::~EventLoop() {
  io.destroy_suspended();
}

void EventLoop::run() {
  ::pthread_setname_np(::pthread_self(), ("loop-" + std::to_string(number_)).c_str());  // for top -H, ps -L
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
