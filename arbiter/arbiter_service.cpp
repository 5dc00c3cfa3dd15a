#include "arbiter/arbiter_service.hpp"

#include "arbiter/admin_api.hpp"
#include "arbiter/exchange_consumer.hpp"
#include "core/events/event_log.hpp"
#include "core/http/server.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::arbiter {
namespace {

const std::string& database_of(const config::Config& config) {
  return config.arbiter.database.empty() ? config.orchestrator.database : config.arbiter.database;
}

constexpr std::chrono::milliseconds kFlushAtExit{2'000};

}  // namespace

struct ArbiterService::Impl {
  explicit Impl(const config::Config& configuration)
      : config(configuration), log(open_event_log(config)), store(database_of(config)), producer(log->make_producer()) {
    store.connect();
    const auto& [legacy, modern] = std::tie(config.arbiter.legacy_db, config.arbiter.modern_db);
    if (!legacy.url.empty() && !modern.url.empty()) {
      readings = std::make_unique<LedgerReader>(legacy, modern, *producer);
    } else {
      log::info("no ledgers configured: balances are compared in answers only");
    }
    http::ServerOptions options;
    options.listen = config.arbiter.listen;
    server = std::make_unique<http::Server>(
        options, admin_handler(board, [this] { return readings ? readings->stats() : LedgerReaderStats{}; }));
    consumer = std::make_unique<ExchangeConsumer>(config, *log, store, *producer, readings.get(), board, clock);
  }

  ~Impl() {
    server.reset();
    consumer.reset();
    readings.reset();
    producer->flush(kFlushAtExit);
  }

  const config::Config config;
  const SystemClock clock;
  StatusBoard board;
  std::unique_ptr<EventLog> log;
  VerdictStore store;
  std::unique_ptr<Producer> producer;
  std::unique_ptr<LedgerReader> readings;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<ExchangeConsumer> consumer;
};

ArbiterService::ArbiterService(const config::Config& config) : impl_(std::make_unique<Impl>(config)) {}
ArbiterService::~ArbiterService() = default;
config::Endpoint ArbiterService::endpoint() const {
  return impl_->server->endpoint();
}

}  // namespace phoenix::arbiter
