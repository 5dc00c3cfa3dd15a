#include "arbiter/rebuild.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <pqxx/pqxx>

#include "arbiter/arbiter_service.hpp"
#include "arbiter/database_url.hpp"
#include "arbiter/exchange_consumer.hpp"
#include "arbiter/shard.hpp"
#include "core/runtime/log.hpp"
#include "core/runtime/program.hpp"

namespace phoenix::arbiter {
namespace {

constexpr const char* kRebuilt = "arbiter_rebuild";
constexpr std::chrono::milliseconds kPollTimeout{200};
constexpr std::chrono::nanoseconds kTellEvery = std::chrono::seconds(5);
constexpr int kSamples = 3;

/// What is compared. Not: when a row was written, and the inner state, whose text may change with the version.
struct Compared {
  const char* table;
  const char* columns;
};
constexpr Compared kCompared[] = {
    {"verdicts", "id, exchange_id, account, slice, route, verdict, detail, event_time, rung, cause, cause_detail"},
    {"mismatch_groups",
     "slice, route, cause, path, mismatches, first_time, last_time, first_exchange, last_exchange, sentence"},
    {"noise", "slice, route, repeats, fields"},
    {"exchanges",
     "exchange_id, account, slice, route, method, target, serving_side, event_time, rung, header, request_body, "
     "legacy_status, legacy_body, modern_status, modern_body, legacy_balance, modern_balance"},
    {"counters", "slice, route, rung, verdict, n"},
    {"drift", "account, slice, currency, gap_minor, legacy_balance, modern_balance, since"},
    {"split_keys", "slice, rung, key, first_gateway, first_exchange, second_gateway, second_exchange, event_time"},
    {"rejected", "topic, partition, \"offset\", reason, value"},
};

/// Takes everything and keeps nothing: what was told of a verdict once is not told again.
class Silent final : public Producer {
 public:
  bool publish_to(int, const char*, std::string, std::string) override { return true; }
  bool flush(std::chrono::milliseconds) override { return true; }
  [[nodiscard]] ProducerStats stats() const override { return {}; }
};

/// How far the state of a shard follows from the log. Its positions say where reading begins, which is earlier where
/// rows wait for other records.
void note_taken(const std::string& stream_progress, bool streams, Positions& positions) {
  const auto progress = decode_stream_progress(stream_progress).value();
  for (const auto& [partition, taken] : progress.taken) positions[partition] = taken.until;
  const bool told = !progress.taken.empty() || std::none_of(positions.begin(), positions.end(), [](const auto& at) {
    return std::find(kSourceTopics.begin(), kSourceTopics.end(), at.first.first) == kSourceTopics.end();
  });
  if (!streams || told) return;
  throw Failure(ErrorCode::invalid_input,
                "rebuild: the state was written by a version that did not tell how far it had taken Debezium's topics;"
                " start the arbiter, wait for its next commit, and try again");
}

/// Empties the schema of the rebuilt state and copies the state before, from one snapshot. How far that follows from
/// the log, by shard.
std::map<int, Positions> take_snapshot(pqxx::connection& connection, bool streams) {
  pqxx::work transaction(connection);
  transaction.exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
  transaction.exec("SET LOCAL client_min_messages = warning");
  transaction.exec(fmt::format("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", kRebuilt));
  for (const auto& [table, columns] : kCompared) {
    transaction.exec(
        fmt::format("CREATE TABLE {0}.before_{1} AS SELECT {2} FROM arbiter.{1}", kRebuilt, table, columns));
  }
  std::map<int, Positions> positions;
  for (const auto& row : transaction.exec("SELECT shard, topic, partition, next FROM arbiter.positions")) {
    positions[row[0].as<int>()][{row[1].as<std::string>(), row[2].as<int>()}] = row[3].as<std::int64_t>();
  }
  for (const auto& row : transaction.exec("SELECT shard, stream_progress FROM arbiter.progress"))
    note_taken(row[1].as<std::string>(), streams, positions[row[0].as<int>()]);
  transaction.commit();
  return positions;
}

/// One source of a shard, read up to a place in the log.
class BoundedSource {
 public:
  BoundedSource(EventLog& log, const TopicPartition& partition, std::int64_t end) : partition_(partition), end_(end) {
    ConsumerOptions options;
    options.topics = {partition.first};
    options.partitions = std::vector<int>{partition.second};
    options.start_position = [](const TopicPartition&) { return ConsumerOptions::kBeginning; };
    if (end_ > 0) consumer_ = log.make_consumer(std::move(options));
  }

  [[nodiscard]] bool at_end() const { return cut_ || next_ >= end_; }
  [[nodiscard]] std::int64_t end() const { return end_; }
  /// What the log does not have any more of it; empty: nothing is known to be missing.
  [[nodiscard]] std::string missing() const {
    const std::string name = fmt::format("{}/{}", partition_.first, partition_.second);
    if (cut_) return fmt::format("{} has no records from offset {} up to {}", name, next_, end_);
    return first_.value_or(0) == 0 ? "" : fmt::format("{} begins at offset {}", name, *first_);
  }

  template <class Offer>
  void read(const Offer& offer) {
    auto records = consumer_->poll(Shard::kBatch, kPollTimeout);
    if (!records && records.error().code == ErrorCode::unavailable) return;  // for now
    const bool nothing = records.value().empty();
    for (auto& record : *records) {
      if (!first_) first_ = record.offset;
      next_ = record.offset + 1;
      if (record.offset < end_) offer(std::move(record));
    }
    const auto end = consumer_->end_read(partition_);
    if (!first_ && end) first_ = end;                // retention took everything
    next_ = std::max(next_, end.value_or(0));        // no record need stand right before the end
    if (nothing && !at_end()) cut_ = ends_before();  // nothing comes any more
  }

 private:
  /// Whether the log ends before `end_`. A new leader may tell an end that is too early, but answers a question for it
  /// only once it knows better.
  [[nodiscard]] bool ends_before() {
    if (!consumer_->at_end(partition_)) return false;
    if (!consumer_->end_read(partition_)) return true;
    const auto end = consumer_->query_end(partition_);
    return end && *end < end_;
  }

  const TopicPartition partition_;
  const std::int64_t end_;
  std::int64_t next_ = 0;
  bool cut_ = false;
  std::optional<std::int64_t> first_;  // where the log really begins
  std::unique_ptr<Consumer> consumer_;
};

bool is_named(const config::ArbiterConfig& arbiter, const std::string& topic) {
  const auto in = [&](const std::vector<std::string>& topics) {
    return std::find(topics.begin(), topics.end(), topic) != topics.end();
  };
  return in(arbiter.legacy_state.topics) || in(arbiter.modern_state.topics);
}

void note_incomplete(RebuildReport& report, const std::string& why) {
  report.incomplete += (report.incomplete.empty() ? "" : ", ") + why;
}

/// Judges all of a shard's log up to `end`.
void replay(const config::Config& config, EventLog& log, VerdictStore& store, int number, const Positions& end,
            RebuildReport& report) {
  Silent silent;
  const SystemClock clock;
  Shard shard(config, number, store, silent, clock, Shard::Purpose::recompute);
  std::vector<BoundedSource> sources;
  for (const Source source : {kExchanges, kReadings, kHeartbeats}) {
    const auto at = end.find(shard.partition(source));
    sources.emplace_back(log, shard.partition(source), at == end.end() ? 0 : at->second);
  }
  if (shard.reads_streams()) {
    for (const auto& [partition, next] : end) {
      if (std::find(kSourceTopics.begin(), kSourceTopics.end(), partition.first) != kSourceTopics.end()) continue;
      if (!is_named(config.arbiter, partition.first)) {
        note_incomplete(report, fmt::format("the configuration does not name {} any more", partition.first));
        continue;
      }
      shard.add_stream(partition);
      sources.emplace_back(log, partition, next);
    }
  }
  auto next_tell = clock.monotonic() + kTellEvery;
  bool all = false;
  while (!all) {
    if (StopSignal::requested()) throw Failure(ErrorCode::unavailable, "rebuild: stopped");
    std::vector<bool> at_end;
    for (std::size_t s = 0; s < sources.size(); ++s) {
      const bool stream = s >= kSources;
      if (!sources[s].at_end() && shard.queued(s) == 0) {
        sources[s].read([&](LogRecord record) {
          ++report.records;
          if (stream) return shard.offer_stream(std::move(record));
          shard.offer(static_cast<Source>(s), std::move(record));
        });
      }
      at_end.push_back(sources[s].at_end());
      if (stream && at_end.back()) shard.note_stream_end(s - kSources, sources[s].end());
    }
    const bool anything = shard.step(at_end);
    all = !anything && std::find(at_end.begin(), at_end.end(), false) == at_end.end();
    if (clock.monotonic() >= next_tell) {
      log::info("rebuild: partition {}: {} records", number, report.records);
      next_tell = clock.monotonic() + kTellEvery;
    }
  }
  shard.settle();
  for (const auto& source : sources) {
    if (const auto missing = source.missing(); !missing.empty()) note_incomplete(report, missing);
  }
}

RebuildReport::Table compare(pqxx::work& transaction, const Compared& what) {
  RebuildReport::Table table{what.table, 0, 0, 0, {}};
  const std::string rebuilt = fmt::format("SELECT {} FROM {}.{}", what.columns, kRebuilt, what.table);
  const std::string before = fmt::format("SELECT {} FROM {}.before_{}", what.columns, kRebuilt, what.table);
  const auto count = [&](const std::string& sql) {
    return transaction.exec1("SELECT count(*) FROM (" + sql + ") rows")[0].as<std::int64_t>();
  };
  const auto difference = [&](const std::string& left, const std::string& right, const char* sign) {
    const std::string sql = left + " EXCEPT ALL " + right;
    const std::int64_t n = count(sql);
    if (n == 0) return n;
    for (const auto& row : transaction.exec(
             fmt::format("SELECT left(rows::text, 300) FROM ({}) rows ORDER BY 1 LIMIT {}", sql, kSamples)))
      table.samples.push_back(std::string(sign) + " " + row[0].as<std::string>());
    return n;
  };
  table.rows = count(rebuilt);
  table.only_before = difference(before, rebuilt, "before ");
  table.only_rebuilt = difference(rebuilt, before, "rebuilt");
  return table;
}

/// What does not follow from the log moves with the name: what was swept, and what that found.
constexpr const char* kMoved[] = {"sweep_accounts", "sweeps"};

std::string swap_schemas(pqxx::work& transaction) {
  for (const auto& [table, _] : kCompared) transaction.exec(fmt::format("DROP TABLE {}.before_{}", kRebuilt, table));
  const std::string kept =
      "arbiter_" + transaction.exec1("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS')")[0]
                       .as<std::string>();
  transaction.exec(fmt::format("ALTER SCHEMA arbiter RENAME TO {}; ALTER SCHEMA {} RENAME TO arbiter", kept, kRebuilt));
  for (const auto* table : kMoved) transaction.exec(fmt::format("DROP TABLE arbiter.{}", table));
  for (const auto* table : kMoved) transaction.exec(fmt::format("ALTER TABLE {}.{} SET SCHEMA arbiter", kept, table));
  return kept;
}

}  // namespace

bool RebuildReport::identical() const {
  return std::all_of(tables.begin(), tables.end(),
                     [](const Table& table) { return table.only_before == 0 && table.only_rebuilt == 0; });
}

RebuildReport rebuild(const config::Config& config, bool swap) {
  RebuildReport report;
  const std::string url = verdict_database(config);
  const bool streams = config.arbiter.state_source == config::StateSource::debezium;
  try {
    const auto owner_of = [&config](const std::string& slice) { return slice_partition(config, slice); };
    VerdictStore(url, shard_count(config), owner_of).connect();  // checks what is there
    pqxx::connection connection(connection_string(url));
    const auto end = take_snapshot(connection, streams);
    const auto log = open_event_log(config);
    VerdictStore store(url, shard_count(config), owner_of, kRebuilt);
    store.connect();
    for (const auto& [number, positions] : end) replay(config, *log, store, number, positions, report);
    pqxx::work transaction(connection);
    for (const auto& what : kCompared) report.tables.push_back(compare(transaction, what));
    report.schema = kRebuilt;
    if (swap && report.incomplete.empty()) {
      report.kept = swap_schemas(transaction);
      report.schema = VerdictStore::kSchema;
    }
    transaction.commit();
  } catch (const pqxx::failure& error) {
    throw Failure(ErrorCode::unavailable,
                  fmt::format("rebuild: {}: {}", describe_database(url), first_line(error.what())));
  }
  return report;
}

std::string describe(const RebuildReport& report) {
  std::string text = fmt::format("{} records of the log judged anew, into schema {}\n", report.records, report.schema);
  for (const auto& table : report.tables) {
    const bool same = table.only_before == 0 && table.only_rebuilt == 0;
    text += fmt::format(
        "{:<12} {:>9} rows  {}\n", table.name, table.rows,
        same ? "identical"
             : fmt::format("DIFFERENT: {} only before, {} only rebuilt", table.only_before, table.only_rebuilt));
    for (const auto& sample : table.samples) text += fmt::format("  {}\n", sample);
  }
  if (!report.incomplete.empty())
    text += fmt::format("Not everything can be read again ({}): differences prove nothing, and nothing was swapped.\n",
                        report.incomplete);
  if (!report.kept.empty()) text += fmt::format("Swapped: the state before is kept in schema {}.\n", report.kept);
  return text;
}

}  // namespace phoenix::arbiter
