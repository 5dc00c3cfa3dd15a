#include "arbiter/capture/marker_writer.hpp"

#include <fmt/format.h>

#include <optional>
#include <thread>

#include "arbiter/capture/pg_connection.hpp"
#include "arbiter/capture/transaction_assembler.hpp"
#include "arbiter/capture/wake_up.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::capture {
namespace {

using std::chrono::steady_clock;

/// Transactional: a message outside a transaction waits for the next commit's flush, a quarter of a second on a quiet
/// server. Asynchronous: nothing rests on the marker itself being durable.
constexpr const char* kWrite = "SELECT pg_logical_emit_message(true, $1, $2)";
constexpr const char* kNoWait = "SET synchronous_commit = off";
constexpr const char* kBound = "SET statement_timeout = '5s'";

}  // namespace

struct MarkerWriter::Impl {
  Impl(Options the_options, EventLog& log, SideStatus& side_status)
      : options(std::move(the_options)),
        status(side_status),
        ends(log.make_consumer(reader_options())),
        thread([this] { run(); }) {}

  ~Impl() {
    wake_up.request_stop();
    thread.join();
  }

  [[nodiscard]] ConsumerOptions reader_options() const {
    ConsumerOptions reader;
    reader.topics = {topics::kShadowRequests};
    reader.partitions = std::vector<int>{options.partition};
    reader.start_position = [](const TopicPartition&) { return ConsumerOptions::kEnd; };
    return reader;
  }

  void run() {
    std::chrono::milliseconds wait = options.interval;
    do {
      try {
        mark();
        tell("");
        wait = options.interval;
      } catch (const Failure& failure) {
        connection.reset();
        tell(fmt::format("no markers are written, so nothing is known to be missing: {}", failure.what()));
        wait = kIdle;
      }
    } while (!wake_up.wait(wait));
  }

  void mark() {
    const auto end = ends->query_end({topics::kShadowRequests, options.partition});
    if (!end) throw Failure(end.error());
    const auto now = steady_clock::now();
    if (written && *end == covered && now - *written < kIdle) return;
    if (!connection) {
      connection.emplace(options.url, PgConnection::Kind::sql);
      connection->run(kNoWait);
      connection->run(kBound);
    }
    connection->run(kWrite, {TransactionAssembler::kPrefix, encode_marker_message({options.writer, *end})});
    covered = *end;
    written = now;
  }

  void tell(const std::string& problem) {
    if (problem != last_problem) {
      if (!problem.empty()) log::warn("{}: {}", options.side, problem);
      status.update([&](SideState& state) { state.marker_problem = problem; });
    }
    last_problem = problem;
  }

  const Options options;
  SideStatus& status;
  WakeUp wake_up;
  // Of the thread:
  std::unique_ptr<Consumer> ends;
  std::optional<PgConnection> connection;
  std::int64_t covered = 0;
  std::optional<steady_clock::time_point> written;
  std::string last_problem;
  std::thread thread;  // last: starts when everything else is there
};

MarkerWriter::MarkerWriter(Options options, EventLog& log, SideStatus& status)
    : impl_(std::make_unique<Impl>(std::move(options), log, status)) {}
MarkerWriter::~MarkerWriter() = default;

}  // namespace phoenix::capture
