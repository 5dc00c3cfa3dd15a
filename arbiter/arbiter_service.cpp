#include "arbiter/arbiter_service.hpp"

#include "arbiter/admin_api.hpp"
#include "arbiter/exchange_consumer.hpp"
#include "core/events/event_log.hpp"
#include "core/http/server.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::arbiter {
namespace {

constexpr std::chrono::milliseconds kFlushAtExit{2'000};

}  // namespace

struct ArbiterService::Impl {
  explicit Impl(const config::Config& configuration)
      : config(configuration),
        log(open_event_log(config)),
        store(verdict_database(config), shard_count(config),
              [this](const std::string& slice) { return slice_partition(config, slice); }),
        producer(log->make_producer()) {
    store.connect();
    if (config.arbiter.legacy_db.url.empty() || config.arbiter.modern_db.url.empty()) {
      log::info("no ledgers configured: balances are compared in answers only");
    }
    board.update([this](ArbiterStatus& status) {
      for (const auto& route : config.gateway.routes) status.routes.push_back(route.name);
    });
    http::ServerOptions options;
    options.listen = config.arbiter.listen;
    server = std::make_unique<http::Server>(options, admin_handler(board, config));
    consumer = std::make_unique<ExchangeConsumer>(config, *log, store, *producer, board, clock);
  }

  ~Impl() {
    server.reset();
    consumer.reset();
    producer->flush(kFlushAtExit);
  }

  const config::Config config;
  const SystemClock clock;
  StatusBoard board;
  std::unique_ptr<EventLog> log;
  VerdictStore store;
  std::unique_ptr<Producer> producer;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<ExchangeConsumer> consumer;
};

ArbiterService::ArbiterService(const config::Config& config) : impl_(std::make_unique<Impl>(config)) {}
ArbiterService::~ArbiterService() = default;
void ArbiterService::read_rules_again() {
  impl_->consumer->read_rules_again();
}
config::Endpoint ArbiterService::endpoint() const {
  return impl_->server->endpoint();
}

}  // namespace phoenix::arbiter
