#include "gateway/gateway.hpp"

#include "core/model/exchange_id.hpp"
#include "core/runtime/log.hpp"
#include "gateway/gateway_impl.hpp"
#include "gateway/redaction_key.hpp"
#include "gateway/reload.hpp"
#include "gateway/shadow_dispatcher.hpp"

namespace phoenix::gateway {
namespace {

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

// Routes of which an earlier process has counts, in their places. Those of a slice that is gone are let go.
std::vector<RouteLabel> known_labels(const EarlierAccounts& earlier, const std::vector<std::string>& slices) {
  std::vector<RouteLabel> labels;
  for (const auto& route : earlier.routes) {
    if (route.slice.empty() || std::find(slices.begin(), slices.end(), route.slice) != slices.end())
      labels.push_back(route);
  }
  return labels;
}

// Smaller segments where the bound is small, so that the bound can be kept.
MappedLog::Options log_options(const config::Config& config, const char* name, std::uint64_t most_bytes) {
  constexpr std::uint64_t kLargest = 4ull << 20;
  constexpr std::uint64_t kSmallest = 64ull << 10;
  return {config.gateway.state_dir + "/" + name, std::clamp(most_bytes / 8, kSmallest, kLargest), most_bytes};
}

}  // namespace

Gateway::Impl::Impl(config::Config configuration, EventLog& log)
    : config(with_threads(std::move(configuration))),
      slice_names(slice_names_of(config)),
      state_lock(config.gateway.state_dir),
      earlier(AccountFile::read(config.gateway.state_dir + "/accounts")),
      settings(std::make_shared<const Settings>(with_redaction_key(config.gateway), config.slices,
                                                known_labels(earlier, slice_names))),
      reloads{config.hash, unix_us(), 0, 0},
      policy(config, may_leave_shadow(settings->routes), clock),
      identity{config.gateway.id, new_incarnation()},
      events(log_options(config, "events", config.gateway.limits.event_spool_bytes)),
      journal(log_options(config, "journal", config.gateway.limits.spool_bytes), slice_names),
      recovery(earlier, events, journal, *settings),
      accounts(config.gateway.state_dir + "/accounts", static_cast<std::size_t>(config.gateway.threads),
               settings->routes.labels(), earlier),
      producer(log.make_producer()),
      publisher(events, identity.gateway, identity.incarnation, slice_names, partitions_of(config), access_log),
      context{config, slice_names, policy, sequencers, publisher, access_log, journal, accounts},
      feed(policy, log, *producer, [this] { return status(); }) {
  for (std::size_t i = 0; i < config.slices.size(); ++i) sequencers.push_back(std::make_unique<Sequencer>());
  for (int i = 0; i < config.gateway.threads; ++i) loops.push_back(std::make_unique<EventLoop>(context, settings, i));
  events.begin(accounts, earlier.events_delivered);
  recover();
  config::Endpoint endpoint = config.gateway.listen;
  require_free(endpoint);
  for (auto& loop : loops) {
    listeners.push_back(std::make_unique<Listener>(*loop, endpoint));
    endpoint.port = listeners.front()->port();  // port 0: the rest share what the first was given
  }
  access_log.use(AccessLog::open(config.gateway.access_log.path));
  policy.set_barrier([this] { barrier(); });
}

void Gateway::Impl::recover() {
  recovery.carry_out(context, loops);
  const auto& found = recovery.summary();
  if (found.lost + found.resumed + found.uncertain + found.incomplete_keys == 0) return;
  log::warn(
      "an earlier process left {} shadow legs to be sent, {} writes of unknown outcome, {} exchanges in flight "
      "(counted as lost); {} keys are incomplete on one side",
      found.resumed, found.uncertain, found.lost, found.incomplete_keys);
}

// On the thread that delivers events. Said once, when it begins and when it is over.
void Gateway::Impl::tend_spools() {
  journal.maintain();
  const std::string problem = !journal.problem().empty() ? journal.problem() : events.problem();
  if (problem == spool_problem) return;
  if (problem.empty()) {
    log::info("the spool takes records again");
  } else {
    log::error(
        "{}; shadow writes that find no room there are dropped, and their keys stay on the side that serves them",
        problem);
  }
  spool_problem = problem;
}

void Gateway::Impl::start() {
  events.start(*producer, [this] { tend_spools(); });
  for (auto& listener : listeners) listener->start();
  for (auto& loop : loops) threads.emplace_back([&loop] { loop->run(); });
  running = true;
  admin = std::make_unique<http::Server>(
      http::ServerOptions{config.gateway.admin_listen, 2, 1 << 20, std::chrono::milliseconds(60'000)}, admin_router());
  feed.start();
}

// Every loop has run something after the snapshot changed: whatever it decides from here on obeys the new one.
void Gateway::Impl::barrier() {
  if (!running) return;
  on_every_loop([](EventLoop&) {});
  feed.announce();
}

void Gateway::Impl::on_every_loop(const std::function<void(EventLoop&)>& task) {
  for (auto& loop : loops) loop->run_and_wait([&] { task(*loop); });
}

// --- report --------------------------------------------------------------------------------------------------------

SettingsPtr Gateway::Impl::settings_now() const {
  const std::lock_guard lock(settings_mutex);
  return settings;
}

Report::Reloads Gateway::Impl::reloads_now() const {
  const std::lock_guard lock(settings_mutex);
  return reloads;
}

Report Gateway::Impl::report() {
  Report now = take_report(context, settings_now()->routes.labels(), loops);
  now.told_settled_until_us = settled_in_the_log(now.settled_until_us);
  now.events = events.stats();
  now.event_disk_bytes = events.disk_bytes();
  now.journal_bytes = journal.bytes();
  now.reloads = reloads_now();
  now.access_log_dropped = access_log.dropped();
  return now;
}

// A heartbeat is not spooled and would overtake events that are: what it says must be in the log before it.
std::int64_t Gateway::Impl::settled_in_the_log(std::int64_t settled_until_us) {
  const std::uint64_t published = events.accepted();
  const std::lock_guard lock(settled_mutex);
  const std::uint64_t in_log = events.acknowledged();
  if (in_log >= published) {
    settled_told_us = std::max(settled_told_us, settled_until_us);
  } else if (in_log >= settled_next.events) {
    settled_told_us = std::max(settled_told_us, settled_next.until_us);
    settled_next = {published, settled_until_us};
  }
  return settled_told_us;
}

GatewayStatus Gateway::Impl::status() {
  return to_status(report(), policy.current(), slice_names, identity, leaving);
}

// --- reload --------------------------------------------------------------------------------------------------------

Result<void> Gateway::Impl::reload() {
  const std::lock_guard one_at_a_time(reload_mutex);
  const auto outcome = try_reload();
  if (outcome) {
    log::info("configuration {} reloaded, hash {}", config.path, reloads_now().config_hash);
    return outcome;
  }
  log::error("reload refused, the configuration stays as it was: {}", outcome.error().message);
  access_log.reopen();  // it may have been renamed all the same
  const std::lock_guard lock(settings_mutex);
  ++reloads.refused;
  return outcome;
}

Result<void> Gateway::Impl::try_reload() {
  if (!running || leaving) return Error{ErrorCode::conflict, "the gateway is shutting down"};
  auto loaded = config::load(config.path);
  if (!loaded) return loaded.error();
  const config::Config next = with_threads(std::move(*loaded));
  const SettingsPtr now = settings_now();
  if (auto error = needs_restart(config, now->has_modern(), next)) return *error;
  // All that can fail comes first.
  SettingsPtr fresh;
  AccessLogFilePtr log_file;
  try {
    fresh = std::make_shared<const Settings>(with_redaction_key(next.gateway), config.slices, now->routes.labels());
    accounts.check_room(fresh->routes.labels());
    log_file = AccessLog::open(next.gateway.access_log.path);
  } catch (const Failure& failure) {
    return Error{failure.code(), failure.what()};
  }
  // No slice may move by routes that some loop does not know yet.
  const auto may = may_leave_shadow(fresh->routes);
  if (const auto narrowed = policy.narrow(may); !narrowed) return narrowed.error();
  accounts.name_routes(fresh->routes.labels());
  on_every_loop([&](EventLoop& loop) { loop.adopt(fresh); });
  policy.widen(may, next.gateway.on_control_loss);
  access_log.use(std::move(log_file));
  const std::lock_guard lock(settings_mutex);
  settings = fresh;
  reloads.config_hash = next.hash;
  reloads.loaded_at_us = unix_us();
  ++reloads.applied;
  return boost::system::in_place_value;
}

Gateway::Gateway(config::Config config, EventLog& event_log)
    : impl_(std::make_unique<Impl>(std::move(config), event_log)) {}

Gateway::~Gateway() {
  if (!impl_->threads.empty()) impl_->drain_and_stop(std::chrono::milliseconds(0));
  impl_->events.stop();  // its thread looks at what is destroyed before it
}

void Gateway::start() {
  impl_->start();
}
Result<void> Gateway::reload() {
  return impl_->reload();
}
void Gateway::announce_drain() {
  impl_->announce_drain();
}
config::GatewayConfig::Drain Gateway::drain() const {
  return impl_->settings_now()->gateway.drain;
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
