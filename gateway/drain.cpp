// Ending the gateway: not ready, no new connections, what is under way finished, the rest accounted for.
#include "core/runtime/log.hpp"
#include "gateway/gateway_impl.hpp"
#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {

void Gateway::Impl::announce_drain() {
  leaving = true;
  feed.announce();
}

bool Gateway::Impl::sessions_or_legs_left() {
  const Report now = report();
  return now.sessions > 0 || now.active[0] + now.active[1] > 0;
}

void Gateway::Impl::drain_and_stop(std::chrono::milliseconds deadline) {
  {
    const std::lock_guard after_a_reload(reload_mutex);  // those that come now are refused
    announce_drain();
  }
  context.draining = true;
  for (std::size_t i = 0; i < loops.size(); ++i) loops[i]->run_and_wait([&] { listeners[i]->stop(); });
  on_every_loop([](EventLoop& loop) { loop.sweep.expire_idle(false); });
  finish_exchanges(std::chrono::steady_clock::now() + deadline);
  // What is still under way ends as timed out, so that it is answered, accounted and published like any other.
  context.cut_off = true;
  const auto last = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  while (sessions_or_legs_left() && std::chrono::steady_clock::now() < last) {
    on_every_loop([](EventLoop& loop) { loop.sweep.expire_all(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  feed.stop();
  admin.reset();
  running = false;
  for (auto& loop : loops) loop->stop();
  for (auto& thread : threads) thread.join();
  threads.clear();
  drop_what_is_left();
  access_log.close();
  if (!events.flush(std::chrono::seconds(5)))
    log::warn("{} events are not in the event log yet; they wait on disk for the next start", events.stats().queued);
  events.stop();
  producer->flush(std::chrono::seconds(1));  // the last heartbeat
}

// A connection on which nothing has come yet may be about to send its only request: it is closed when all else is done.
void Gateway::Impl::finish_exchanges(std::chrono::steady_clock::time_point until) {
  while (std::chrono::steady_clock::now() < until) {
    const Report now = report();
    const bool busy = now.in_flight() > now.resting || now.sessions > now.idle_sessions;
    if (!busy && now.sessions == 0) return;
    if (!busy) on_every_loop([](EventLoop& loop) { loop.sweep.expire_idle(true); });
    std::this_thread::sleep_for(std::chrono::milliseconds(busy ? 20 : 1));
  }
}

// No loop runs any more: nobody else touches what is still held.
void Gateway::Impl::drop_what_is_left() {
  std::uint64_t dropped = 0;
  std::uint64_t left = 0;
  for (auto& loop : loops) {
    for (auto& dispatcher : loop->shadow) {
      if (!dispatcher) continue;
      dropped += dispatcher->leave("shutdown");
      left += dispatcher->backlog();
    }
  }
  if (dropped > 0)
    log::warn("{} shadow legs did not finish within the drain deadline; they are published as dropped(shutdown)",
              dropped);
  if (left > 0) log::info("{} shadow writes wait in the journal for the next start", left);
}

}  // namespace phoenix::gateway
