#include "gateway/gateway.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/http/server.hpp"
#include "core/model/exchange_id.hpp"
#include "core/runtime/log.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/listener.hpp"
#include "gateway/policy_feed.hpp"
#include "gateway/report.hpp"
#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {
namespace {

using Json = nlohmann::json;

std::string new_incarnation() {
  RandomSource random(random_seed());
  return make_exchange_id(static_cast<std::uint64_t>(SystemClock().unix_ms()), random.next(), random.next())
      .to_string();
}

config::Config with_threads(config::Config config) {
  if (config.gateway.threads == 0)
    config.gateway.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return config;
}

std::vector<bool> may_leave_shadow(const RouteTable& routes) {
  std::vector<bool> may;
  for (std::size_t i = 0; i < routes.slice_names().size(); ++i)
    may.push_back(routes.may_leave_shadow(static_cast<int>(i)));
  return may;
}

std::vector<std::string> slice_names_of(const config::Config& config) {
  std::vector<std::string> names;
  for (const auto& slice : config.slices) names.push_back(slice.name);
  return names;
}

std::vector<int> partitions_of(const config::Config& config) {
  std::vector<int> partitions;
  for (const auto& slice : slice_names_of(config)) partitions.push_back(slice_partition(config, slice));
  return partitions;
}

}  // namespace

struct Gateway::Impl {
  Impl(config::Config configuration, EventLog& log)
      : config(with_threads(std::move(configuration))),
        slice_names(slice_names_of(config)),
        settings(std::make_shared<const Settings>(config.gateway, config.slices)),
        policy(config, may_leave_shadow(settings->routes), clock),
        identity{config.gateway.id, new_incarnation()},
        producer(log.make_producer()),
        publisher(*producer, identity.gateway, identity.incarnation, slice_names, partitions_of(config)),
        context{config, slice_names, policy, sequencers, publisher},
        feed(policy, log, *producer, [this] { return status(); }) {
    for (std::size_t i = 0; i < config.slices.size(); ++i) sequencers.push_back(std::make_unique<Sequencer>());
    for (int i = 0; i < config.gateway.threads; ++i) loops.push_back(std::make_unique<EventLoop>(context, settings, i));
    config::Endpoint endpoint = config.gateway.listen;
    require_free(endpoint);
    for (auto& loop : loops) {
      listeners.push_back(std::make_unique<Listener>(*loop, endpoint));
      endpoint.port = listeners.front()->port();  // port 0: the rest share what the first was given
    }
    policy.set_barrier([this] { barrier(); });
  }

  // Every loop has run something after the snapshot changed: whatever it decides from here on obeys the new one.
  void barrier() {
    if (!running) return;
    for (auto& loop : loops) loop->run_and_wait([] {});
    feed.announce();
  }

  bool sessions_or_legs_left() {
    const Report now = report();
    return now.sessions > 0 || now.active[0] + now.active[1] > 0;
  }
  Report report() { return take_report(context, settings->routes.labels(), loops, *producer); }
  GatewayStatus status() { return to_status(report(), policy.current(), slice_names, identity, context.draining); }

  void start() {
    for (auto& listener : listeners) listener->start();
    for (auto& loop : loops) threads.emplace_back([&loop] { loop->run(); });
    running = true;
    admin = std::make_unique<http::Server>(
        http::ServerOptions{config.gateway.admin_listen, 2, 1 << 20, std::chrono::milliseconds(60'000)},
        admin_router());
    feed.start();
  }

  http::Router admin_router();
  http::Response post_kill(const http::Request& request);
  http::Response put_policy(const http::Request& request);
  void drain_and_stop(std::chrono::milliseconds deadline);

  SystemClock clock;
  const config::Config config;
  const std::vector<std::string> slice_names;
  SettingsPtr settings;
  PolicyStore policy;
  const Identity identity;
  std::unique_ptr<Producer> producer;
  ExchangePublisher publisher;
  std::vector<std::unique_ptr<Sequencer>> sequencers;
  GatewayContext context;
  PolicyFeed feed;
  std::vector<std::unique_ptr<EventLoop>> loops;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::thread> threads;
  std::unique_ptr<http::Server> admin;
  std::atomic<bool> running{false};
};

http::Router Gateway::Impl::admin_router() {
  http::Router router;
  router.add("GET", "/healthz",
             [](const auto&, const auto&) { return http::json_text(200, "{\"status\":\"alive\"}\n"); });
  router.add("GET", "/readyz", [this](const auto&, const auto&) {
    if (context.draining) return http::problem(503, "draining", "the gateway is shutting down");
    return http::json_text(200, "{\"status\":\"ready\"}\n");
  });
  router.add("GET", "/metrics", [this](const auto&, const auto&) {
    http::Response response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = to_metrics(report(), policy.current(), policy.lease_left(), slice_names);
    return response;
  });
  router.add("GET", "/status", [this](const auto&, const auto&) {
    const Report now = report();
    return http::json_text(
        200, to_status_json(now, to_status(now, policy.current(), slice_names, identity, context.draining)));
  });
  router.add("POST", "/kill", [this](const auto& request, const auto&) { return post_kill(request); });
  router.add("PUT", "/policy", [this](const auto& request, const auto&) { return put_policy(request); });
  return router;
}

http::Response Gateway::Impl::post_kill(const http::Request& request) {
  const Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object())
    return http::problem(400, "invalid request", "send {\"slice\":\"NAME or *\",\"reason\":\"TEXT\"}");
  const auto text = [&](const char* name) {
    return body.contains(name) && body[name].is_string() ? body[name].get<std::string>() : std::string();
  };
  const std::string slice = text("slice").empty() ? "*" : text("slice");
  if (text("reason").empty()) return http::problem(400, "invalid request", "a kill needs a reason");
  const std::string by = text("by").empty() ? "admin" : text("by");
  const auto outcome = policy.kill(slice, text("reason"), by, text("kill_id"));
  if (!outcome) return http::problem_of(outcome.error());
  const bool accept_stale =
      body.contains("accept_stale") && body["accept_stale"].is_boolean() && body["accept_stale"].get<bool>();
  log::warn("kill of '{}' by {}: {}{}", slice, by, text("reason"), accept_stale ? " (accepting stale keys)" : "");
  Json reply{{"acknowledged", true},
             {"gateway", identity.gateway},
             {"latched", Json::array()},
             {"unchanged_bypass", outcome->unchanged_bypass},
             {"unchanged_retired", outcome->unchanged_retired}};
  for (const auto& latch : outcome->latched) {
    const auto at =
        static_cast<std::size_t>(std::find(slice_names.begin(), slice_names.end(), latch.slice) - slice_names.begin());
    if (accept_stale) sequencers[at]->accept_stale(Side::legacy);
    const auto keys = sequencers[at]->summary();
    const auto legacy = static_cast<std::size_t>(index(Side::legacy));
    reply["latched"].push_back({{"slice", latch.slice},
                                {"kill_id", latch.kill_id},
                                {"keys_legacy_behind", keys.behind_keys[legacy]},
                                {"keys_legacy_incomplete", keys.incomplete_keys[legacy]},
                                {"examples", keys.examples[legacy]}});
  }
  return http::json_text(200, reply.dump(2) + "\n");
}

http::Response Gateway::Impl::put_policy(const http::Request& request) {
  const auto decoded = decode_traffic_policy(request.body);
  if (!decoded) return http::problem_of(decoded.error());
  const auto applied = policy.apply(*decoded, PolicySource::live);
  if (!applied) return http::problem_of(applied.error());
  return http::json_text(200, Json{{"applied_epoch", decoded->epoch}, {"gateway", identity.gateway}}.dump() + "\n");
}

void Gateway::Impl::drain_and_stop(std::chrono::milliseconds deadline) {
  context.draining = true;
  feed.announce();
  for (std::size_t i = 0; i < loops.size(); ++i) loops[i]->run_and_wait([&] { listeners[i]->stop(); });
  const auto until = std::chrono::steady_clock::now() + deadline;
  while (report().in_flight() > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  // What is still under way ends as timed out, so that it is answered, accounted and published like any other.
  const auto last = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  while (sessions_or_legs_left() && std::chrono::steady_clock::now() < last) {
    for (auto& loop : loops) loop->run_and_wait([&] { loop->sweep.expire_all(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  feed.stop();
  admin.reset();
  running = false;
  for (auto& loop : loops) loop->stop();
  for (auto& thread : threads) thread.join();
  threads.clear();
  // No loop runs any more: nobody else touches what is still held.
  std::uint64_t left = 0;
  for (auto& loop : loops) {
    for (auto& dispatcher : loop->shadow) {
      if (!dispatcher) continue;
      left += dispatcher->backlog();
      dispatcher->drop_all("shutdown");
    }
  }
  if (left > 0)
    log::warn("{} shadow legs did not finish within the drain deadline; they are published as dropped(shutdown)", left);
  if (!producer->flush(std::chrono::seconds(5)))
    log::warn("{} events could not be flushed to the event log", producer->stats().queued);
}

Gateway::Gateway(config::Config config, EventLog& event_log)
    : impl_(std::make_unique<Impl>(std::move(config), event_log)) {}

Gateway::~Gateway() {
  if (!impl_->threads.empty()) impl_->drain_and_stop(std::chrono::milliseconds(0));
}

void Gateway::start() {
  impl_->start();
}
void Gateway::drain_and_stop(std::chrono::milliseconds deadline) {
  impl_->drain_and_stop(deadline);
}
std::uint16_t Gateway::port() const {
  return impl_->listeners.front()->port();
}
std::uint16_t Gateway::admin_port() const {
  return impl_->admin ? impl_->admin->endpoint().port : 0;
}

}  // namespace phoenix::gateway
