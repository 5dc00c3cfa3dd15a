// Writes an event log for the arbiter's benchmark:
//   bench_arbiter_log CONFIG EXCHANGES ACCOUNTS [--state]
// Deposits on ACCOUNTS accounts in turn, one event a deposit, about 1.6 kB each, both answers alike but for what the
// routes ignore. --state adds what phoenix-capture publishes: one change for each side and deposit, a marker for each
// side every 64 deposits. Everything agrees.
#include <fmt/format.h>
#include <xxhash.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/events/event_log.hpp"
#include "core/events/exchange_event.hpp"
#include "core/model/exchange_id.hpp"
#include "core/runtime/config.hpp"

namespace phoenix {
namespace {

constexpr std::int64_t kStartUs = 1'767'225'600'000'000;
constexpr std::int64_t kStepUs = 50;  // 20,000 exchanges a second of event time
constexpr std::uint64_t kMarkerEvery = 64;

struct Deposit {
  std::uint64_t number;  // from 0
  std::uint64_t account;
  std::uint64_t nth;  // of its account, from 1
  std::string id;
  [[nodiscard]] std::int64_t at_us() const { return kStartUs + static_cast<std::int64_t>(number) * kStepUs; }
  [[nodiscard]] std::string balance(std::uint64_t count) const {
    return fmt::format("{}.{:02}", 1000 + count, account % 100);
  }
};

LegRecord answer(const Deposit& deposit, std::uint64_t posting, std::int64_t sent_at_us) {
  LegRecord leg;
  leg.outcome = LegOutcome::ok;
  leg.status = 201;
  leg.sent_at_us = sent_at_us;
  leg.duration_us = 412;
  leg.headers = {{"Content-Type", "application/json"}, {"Content-Length", "186"}, {"Server", "core"}};
  leg.body = fmt::format(
      R"({{"posting_id":"{:010}","account_id":{},"kind":"deposit","amount":"1.00","fee":"0.00","currency":"EUR",)"
      R"("balance_after":"{}","created_at":"2026-01-01T00:00:00.{:06}Z","exchange_id":"{}"}})",
      posting, deposit.account, deposit.balance(deposit.nth), posting % 1'000'000, deposit.id);
  leg.body_bytes = leg.body.size();
  leg.body_hash = XXH3_64bits(leg.body.data(), leg.body.size());
  return leg;
}

ExchangeEvent event_of(const Deposit& deposit) {
  ExchangeEvent event;
  event.exchange_id = event.request_id = deposit.id;
  event.gateway = "gw-1";
  event.incarnation = "0199aabb-ccdd-7000-8000-00000000ffff";
  event.sequence = deposit.number + 1;
  event.received_at_us = deposit.at_us();
  event.completed_at_us = event.received_at_us + 1'234;
  event.route = "deposits";
  event.slice = "payments";
  event.method = "POST";
  event.target = fmt::format("/accounts/{}/deposits", deposit.account);
  event.write = true;
  event.keys = {{std::to_string(deposit.account), deposit.nth}};
  event.request_headers = {{"Host", "bank.example:8080"},        {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"},
                           {"Accept", "application/json, */*"},  {"Authorization", "(redacted)"},
                           {"Content-Type", "application/json"}, {"Content-Length", "36"}};
  event.request_body = R"({"amount":"1.00","currency":"EUR"})";
  event.request_body_bytes = event.request_body.size();
  event.request_body_hash = XXH3_64bits(event.request_body.data(), event.request_body.size());
  event.serving = answer(deposit, deposit.number, event.received_at_us + 87);
  event.shadow = answer(deposit, deposit.number + 7'000'000, event.received_at_us + 640);
  return event;
}

std::string change_of(const Deposit& deposit, const char* side, const char* table, std::uint64_t lsn) {
  return fmt::format(
      R"({{"v":1,"op":"u","before":{{"id":{0},"balance":"{1}","currency":"EUR"}},"after":{{"id":{0},"balance":"{2}","currency":"EUR"}},)"
      R"("source":{{"connector":"postgresql","name":"{3}","kind":"capture","db":"bank","schema":"public","table":"{4}","txId":{5},)"
      R"("lsn":{6},"commit_lsn":{7},"ts_ms":{8},"ts_us":{9},"snapshot":"false"}},"transaction":{{"id":"{5}:{7}","total_order":1,)"
      R"("data_collection_order":1}},"exchange_id":"{10}","ts_ms":{8}}})",
      deposit.account, deposit.balance(deposit.nth - 1), deposit.balance(deposit.nth), side, table,
      1000 + deposit.number, lsn, lsn + 40, deposit.at_us() / 1000, deposit.at_us(), deposit.id);
}

std::string marker_of(const char* side, std::uint64_t number, std::int64_t covers, std::int64_t at_us) {
  return fmt::format(
      R"({{"v":1,"op":"m","source":{{"name":"{}","kind":"capture"}},"marker":{},"covers":{},"ts_us":{}}})", side,
      number, covers, at_us);
}

class Writer {
 public:
  explicit Writer(EventLog& log) : producer_(log.make_producer()) {}
  void put(const char* topic, const std::string& key, const std::string& value) {
    while (!producer_->publish(topic, key, value)) producer_->flush(std::chrono::milliseconds(100));
  }
  void finish() {
    while (!producer_->flush(std::chrono::seconds(1))) continue;
    if (producer_->stats().failed != 0) throw Failure(ErrorCode::unavailable, "the log refused records");
  }

 private:
  std::unique_ptr<Producer> producer_;
};

void write(const config::Config& config, std::uint64_t exchanges, std::uint64_t accounts, bool state) {
  const auto log = open_event_log(config);
  Writer out(*log);
  for (std::uint64_t n = 0; n < exchanges; ++n) {
    const Deposit deposit{n, 1 + n % accounts, 1 + n / accounts,
                          make_exchange_id(static_cast<std::uint64_t>(kStartUs / 1000) + n / 20, n, ~n).to_string()};
    const std::string key = std::to_string(deposit.account);
    if (state) {
      out.put(topics::kDbStateUpdates, key, change_of(deposit, "legacy", "accounts", 100'000 + n * 200));
      out.put(topics::kDbStateUpdates, key, change_of(deposit, "modern", "ledger_accounts", 100'000 + n * 200));
    }
    out.put(topics::kShadowRequests, key, encode(event_of(deposit)));
    const bool last = n + 1 == exchanges;
    if (state && (last || n % kMarkerEvery == kMarkerEvery - 1)) {
      for (const char* side : {"legacy", "modern"}) {
        out.put(topics::kDbStateUpdates, "",
                marker_of(side, n / kMarkerEvery, static_cast<std::int64_t>(n + 1), deposit.at_us()));
      }
    }
  }
  out.finish();
}

}  // namespace
}  // namespace phoenix

int main(int argc, char** argv) {
  using namespace phoenix;
  if (argc < 4) {
    std::fprintf(stderr, "usage: bench_arbiter_log CONFIG EXCHANGES ACCOUNTS [--state]\n");
    return 2;
  }
  const auto config = config::load(argv[1]);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    return 2;
  }
  try {
    write(*config, std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10),
          argc > 4 && std::strcmp(argv[4], "--state") == 0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_arbiter_log: %s\n", error.what());
    return 1;
  }
}
