#include "arbiter/verdict_store.hpp"

#include <pqxx/pqxx>

#include "arbiter/database_url.hpp"
#include "arbiter/schema.hpp"
#include "arbiter/verdict_store_impl.hpp"
#include "arbiter/verdict_store_rows.hpp"

namespace phoenix::arbiter {
namespace {

constexpr std::int64_t kSchemaLock = 0x70686f656e697801;  // any number that no other program takes
constexpr std::int64_t kForgetEveryUs = 10'000'000;

// Of two that hold a shard for its owner's, one is mistaken: the version tells, whichever positions a batch moves.
const char* const kFirstProgress = R"sql(
INSERT INTO arbiter.progress (shard, version, heartbeats, event_time_us, exchange_time_us, streams, stream_progress)
VALUES ($1, $2 + 1, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING)sql";
const char* const kProgress = R"sql(
UPDATE arbiter.progress SET version = version + 1, heartbeats = $3, event_time_us = $4, exchange_time_us = $5, streams = $6,
  stream_progress = $7
WHERE shard = $1 AND version = $2)sql";

const char* const kVerdicts = R"sql(
INSERT INTO arbiter.verdicts (id, exchange_id, account, slice, route, verdict, detail, event_time, rung, cause, cause_detail)
SELECT id, exchange_id, account, slice, route, verdict, detail, 'epoch'::timestamptz + us * interval '1 microsecond', rung,
  cause, cause_detail
FROM json_to_recordset($1::json) AS r(id text, exchange_id text, account text, slice text, route text, verdict text,
  detail text, us bigint, rung bigint, cause text, cause_detail text)
ON CONFLICT (id) DO UPDATE SET account = excluded.account, verdict = excluded.verdict, detail = excluded.detail,
  event_time = excluded.event_time, rung = excluded.rung, cause = excluded.cause, cause_detail = excluded.cause_detail,
  decided_at = now())sql";

const char* const kRules = R"sql(
INSERT INTO arbiter.accepted_rules (state, shard) VALUES ($1, $2)
ON CONFLICT (shard) DO UPDATE SET state = excluded.state)sql";

const char* const kNoise = R"sql(
INSERT INTO arbiter.noise (slice, route, repeats, fields)
SELECT slice, route, repeats, fields FROM json_to_recordset($1::json) AS r(slice text, route text, repeats bigint, fields jsonb)
ON CONFLICT (slice, route) DO UPDATE SET repeats = excluded.repeats, fields = excluded.fields)sql";

const char* const kCauseState = R"sql(
INSERT INTO arbiter.cause_state SELECT $2::int, name, state FROM json_to_recordset($1::json) AS r(name text, state text)
ON CONFLICT (shard, name) DO UPDATE SET state = excluded.state)sql";

const char* const kGroups = R"sql(
INSERT INTO arbiter.mismatch_groups
SELECT slice, route, cause, path, mismatches, 'epoch'::timestamptz + first_us * interval '1 microsecond',
  'epoch'::timestamptz + last_us * interval '1 microsecond', first_exchange, last_exchange, sentence, state
FROM json_to_recordset($1::json) AS r(slice text, route text, cause text, path text, mismatches bigint, first_us bigint,
  last_us bigint, first_exchange text, last_exchange text, sentence text, state text)
ON CONFLICT (slice, route, cause, path) DO UPDATE SET mismatches = excluded.mismatches, last_time = excluded.last_time,
  last_exchange = excluded.last_exchange, sentence = excluded.sentence, state = excluded.state)sql";

const char* const kEvidence = R"sql(
INSERT INTO arbiter.exchanges
SELECT exchange_id, account, slice, route, method, target, serving_side,
  'epoch'::timestamptz + us * interval '1 microsecond', rung, header, decode(request_body, 'hex'), legacy_status,
  decode(legacy_body, 'hex'), modern_status, decode(modern_body, 'hex'), legacy_balance, modern_balance
FROM json_to_recordset($1::json) AS r(exchange_id text, account text, slice text, route text, method text, target text,
  serving_side text, us bigint, rung bigint, header jsonb, request_body text, legacy_status int, legacy_body text,
  modern_status int, modern_body text, legacy_balance text, modern_balance text)
ON CONFLICT (exchange_id) DO NOTHING)sql";

// What was said of an account with one side's posting alone gives way to both; what was posted once more stands beside.
const char* const kLatePostings = R"sql(
UPDATE arbiter.exchanges e SET header = jsonb_set(header, '{postings}', coalesce((
    SELECT jsonb_agg(known ORDER BY place) FROM jsonb_array_elements(e.header->'postings') WITH ORDINALITY AS t(known, place)
    WHERE NOT r.replaced ? (known->>'account')), '[]') || r.postings)
FROM json_to_recordset($1::json) AS r(exchange_id text, replaced jsonb, postings jsonb)
WHERE e.exchange_id = r.exchange_id)sql";

const char* const kSplitKeys = R"sql(
INSERT INTO arbiter.split_keys
SELECT slice, rung, key, first_gateway, first_exchange, second_gateway, second_exchange,
  'epoch'::timestamptz + us * interval '1 microsecond'
FROM json_to_recordset($1::json) AS r(slice text, rung bigint, key text, first_gateway text, first_exchange text,
  second_gateway text, second_exchange text, us bigint)
ON CONFLICT DO NOTHING)sql";

const char* const kCounters = R"sql(
INSERT INTO arbiter.counters AS c
SELECT slice, route, rung, verdict, n
FROM json_to_recordset($1::json) AS r(slice text, route text, rung bigint, verdict text, n bigint)
ON CONFLICT (slice, route, rung, verdict) DO UPDATE SET n = c.n + excluded.n)sql";

const char* const kAccounts = R"sql(
INSERT INTO arbiter.accounts SELECT $3::int, account, state FROM unnest($1::text[], $2::text[]) AS r(account, state)
ON CONFLICT (shard, account) DO UPDATE SET state = excluded.state)sql";

const char* const kDrift = R"sql(
INSERT INTO arbiter.drift
SELECT account, slice, currency, gap_minor, legacy_balance, modern_balance, since
FROM json_to_recordset($1::json) AS r(account text, slice text, currency text, gap_minor bigint, legacy_balance text,
  modern_balance text, since text)
ON CONFLICT (slice, account) DO UPDATE SET currency = excluded.currency, gap_minor = excluded.gap_minor, legacy_balance = excluded.legacy_balance, modern_balance = excluded.modern_balance, since = excluded.since)sql";

const char* const kNoDrift = R"sql(
DELETE FROM arbiter.drift d USING json_to_recordset($1::json) AS r(slice text, account text)
WHERE d.slice = r.slice AND d.account = r.account)sql";

const char* const kWindows = R"sql(
INSERT INTO arbiter.windows SELECT slice, state FROM json_to_recordset($1::json) AS r(slice text, state text)
ON CONFLICT (slice) DO UPDATE SET state = excluded.state)sql";

// A rung that is over needs its units no more.
const char* const kOldUnits = R"sql(
DELETE FROM arbiter.units u USING json_to_recordset($1::json) AS r(slice text, rung bigint)
WHERE u.slice = r.slice AND u.rung < r.rung)sql";

const char* const kScores = R"sql(
INSERT INTO arbiter.scores SELECT slice, score, now() FROM json_to_recordset($1::json) AS r(slice text, score jsonb)
ON CONFLICT (slice) DO UPDATE SET score = excluded.score, updated = now())sql";

const char* const kUnits = R"sql(
INSERT INTO arbiter.units SELECT slice, rung, unit
FROM json_to_recordset($1::json) AS r(slice text, rung bigint, unit text) ON CONFLICT DO NOTHING)sql";

const char* const kSeen =
    "INSERT INTO arbiter.seen_ids (shard, version, until_us, ids, facts) VALUES ($1, $2, $3, $4, $5)";

const char* const kOpened = R"sql(
INSERT INTO arbiter.open_exchanges (shard, exchange_id, waiting, late, since_us, frame, event_offset, mark)
SELECT $8::int, exchange_id, waiting, late, since_us, frame, event_offset, mark
FROM unnest($1::text[], $2::boolean[], $3::boolean[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bigint[])
  AS r(exchange_id, waiting, late, since_us, mark, frame, event_offset)
ON CONFLICT (shard, exchange_id) DO UPDATE SET waiting = excluded.waiting, late = excluded.late, since_us = excluded.since_us,
  mark = excluded.mark)sql";

const char* const kStillOpen = R"sql(
UPDATE arbiter.open_exchanges o SET waiting = r.waiting, late = r.late, since_us = r.since_us, mark = r.mark
FROM unnest($1::text[], $2::boolean[], $3::boolean[], $4::bigint[], $5::bigint[])
  AS r(exchange_id, waiting, late, since_us, mark)
WHERE o.shard = $6 AND o.exchange_id = r.exchange_id)sql";

const char* const kClosed = R"sql(
DELETE FROM arbiter.open_exchanges
WHERE shard = $2 AND exchange_id = ANY ($1::text[]))sql";
const char* const kRetracted = "DELETE FROM arbiter.verdicts WHERE id IN (SELECT json_array_elements_text($1::json))";

const char* const kRejected = R"sql(
INSERT INTO arbiter.rejected (topic, partition, "offset", reason, value)
SELECT topic, partition, "offset", reason, decode(value, 'hex')
FROM json_to_recordset($1::json) AS r(topic text, partition int, "offset" bigint, reason text, value text)
ON CONFLICT DO NOTHING)sql";

template <class InSchema>
bool advance(pqxx::work& transaction, const PreparedCommit& commit, const InSchema& in_schema) {
  for (const auto& [partition, next] : commit.to) {
    const std::int64_t from = commit.from.at(partition);
    const auto result = transaction.exec_params(
        in_schema(
            "UPDATE arbiter.positions SET next = $5 WHERE shard = $1 AND topic = $2 AND partition = $3 AND next = $4"),
        commit.shard, partition.first, partition.second, from, next);
    if (result.affected_rows() == 1) continue;
    if (from != ConsumerOptions::kBeginning) return false;
    const auto inserted = transaction.exec_params(
        in_schema("INSERT INTO arbiter.positions VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"), commit.shard,
        partition.first, partition.second, next);
    if (inserted.affected_rows() != 1) return false;
  }
  return true;
}

template <class InSchema>
void execute(pqxx::work& transaction, int shard, const PreparedCommit::Statement& statement,
             const InSchema& in_schema) {
  const auto& [sql, rows, of_shard, columns] = statement;
  if (!columns.empty()) {
    const std::vector<pqxx::binarystring> binary(columns.begin(), columns.end());
    transaction.exec_params(in_schema(sql), pqxx::prepare::make_dynamic_params(binary), shard);
  } else if (of_shard) {
    transaction.exec_params(in_schema(sql), rows, shard);
  } else {
    transaction.exec_params(in_schema(sql), rows);
  }
}

void refuse_older_schema(pqxx::work& transaction, const std::string& url) {
  const auto older = transaction.exec(
      "SELECT 1 WHERE to_regclass('arbiter.progress') IS NOT NULL AND NOT EXISTS (SELECT FROM "
      "information_schema.columns"
      " WHERE table_schema = 'arbiter' AND table_name = 'progress' AND column_name = 'version')");
  if (older.empty()) return;
  throw Failure(
      ErrorCode::invalid_input,
      fmt::format("verdict store {}: its tables are of an older version: name another arbiter.database, or drop "
                  "the schema arbiter to begin anew",
                  describe_database(url)));
}

}  // namespace

const std::string& verdict_database(const config::Config& config) {
  return config.arbiter.database.empty() ? config.orchestrator.database : config.arbiter.database;
}

VerdictStore::VerdictStore(std::string url, int shards, std::function<int(const std::string&)> owner_of,
                           std::string schema)
    : impl_(std::make_unique<Impl>()) {
  impl_->url = std::move(url);
  impl_->shards = shards;
  impl_->owner_of = std::move(owner_of);
  impl_->schema = std::move(schema);
}
VerdictStore::~VerdictStore() = default;

void VerdictStore::connect() {
  impl_->connection.reset();
  ensure_database(impl_->url);
  impl_->guarded([&] {
    impl_->connection = std::make_unique<pqxx::connection>(connection_string(impl_->url));
    pqxx::work transaction(*impl_->connection);
    transaction.exec_params("SELECT pg_advisory_xact_lock($1)", kSchemaLock);
    transaction.exec("SET LOCAL client_min_messages = warning");
    refuse_older_schema(transaction, impl_->url);
    transaction.exec("CREATE SCHEMA IF NOT EXISTS " + impl_->schema);
    transaction.exec(impl_->in_schema(kSchemaSql));
    transaction.exec_params(impl_->in_schema("INSERT INTO arbiter.layout VALUES (true, $1) ON CONFLICT DO NOTHING"),
                            impl_->shards);
    const int built_on = transaction.exec1(impl_->in_schema("SELECT partitions FROM arbiter.layout"))[0].as<int>();
    if (built_on != impl_->shards) {
      throw Failure(
          ErrorCode::invalid_input,
          fmt::format("verdict store {}: its state is spread over {} partitions, but event_log.kafka.partitions "
                      "(1 in mode local) is now {}: set it back, or name another arbiter.database",
                      describe_database(impl_->url), built_on, impl_->shards));
    }
    transaction.commit();
  });
}

void PreparedCommit::put_rules(std::string stored) {
  statements.push_back({kRules, std::move(stored), true});
}

PreparedCommit VerdictStore::prepare(int shard, const DecisionCore& core, const CoreChanges& changes, Positions from,
                                     Positions to) {
  PreparedCommit commit{shard,
                        core.event_time_us(),
                        core.exchange_time_us(),
                        core.seen_since_us(),
                        rows::heartbeats(core),
                        rows::streams(core),
                        rows::seen(changes),
                        rows::decided(core, changes),
                        {},
                        {},
                        std::move(from),
                        std::move(to)};
  const auto put = [&](const char* sql, std::string rows, bool of_shard = false) {
    if (!rows.empty()) commit.statements.push_back({sql, std::move(rows), of_shard});
  };
  const auto put_columns = [&](const char* sql, std::vector<std::string> columns) {
    if (!columns.empty()) commit.statements.push_back({sql, "", true, std::move(columns)});
  };
  put(kVerdicts, rows::verdicts(changes));
  if (!changes.retracted.empty()) put(kRetracted, rows::retracted(changes));
  put(kEvidence, rows::evidence(changes));
  put(kLatePostings, rows::late_postings(changes));
  put(kSplitKeys, rows::split_keys(changes));
  put(kCounters, rows::counters(changes));
  put_columns(kAccounts, rows::accounts(core, changes));
  put(kDrift, rows::drift(core, changes));
  put(kNoDrift, rows::no_drift(core, changes));
  put_columns(kOpened, rows::opened(core, changes));
  put_columns(kStillOpen, rows::still_open(core, changes));
  put_columns(kClosed, rows::closed(core, changes));
  const std::string windows = rows::windows(core, changes);
  put(kWindows, windows);
  if (!changes.units.empty()) put(kOldUnits, windows);
  put(kUnits, rows::units(changes));
  put(kScores, rows::scores(core, changes));
  put(kRejected, rows::rejected(changes));
  if (!changes.noise.empty()) put(kNoise, rows::noise(core, changes));
  if (!changes.causes.state.empty()) put(kCauseState, rows::cause_state(changes), true);
  if (!changes.causes.groups.empty()) put(kGroups, rows::groups(changes));
  return commit;
}

bool VerdictStore::commit(const PreparedCommit& commit) {
  return impl_->guarded([&] {
    pqxx::work transaction(impl_->connected());
    const auto in_schema = [this](const char* sql) { return impl_->in_schema(sql); };
    const auto known = impl_->versions.find(commit.shard);
    const std::int64_t version = known == impl_->versions.end() ? 0 : known->second;
    const auto fenced = transaction.exec_params(in_schema(version == 0 ? kFirstProgress : kProgress), commit.shard,
                                                version, commit.heartbeats, commit.event_time_us,
                                                commit.exchange_time_us, commit.streams, commit.stream_progress);
    if (fenced.affected_rows() != 1 || !advance(transaction, commit, in_schema)) return false;
    if (!commit.seen.empty() || !commit.decided.empty()) {
      transaction.exec_params(in_schema(kSeen), commit.shard, version + 1, commit.event_time_us, commit.seen,
                              commit.decided);
    }
    for (const auto& statement : commit.statements) execute(transaction, commit.shard, statement, in_schema);
    std::int64_t& forgotten_until_us = impl_->forgotten_until_us[commit.shard];
    if (commit.seen_since_us > forgotten_until_us + kForgetEveryUs) {
      transaction.exec_params(in_schema("DELETE FROM arbiter.seen_ids WHERE shard = $1 AND until_us < $2"),
                              commit.shard, commit.seen_since_us);
      forgotten_until_us = commit.seen_since_us;
    }
    transaction.commit();
    impl_->versions[commit.shard] = version + 1;
    return true;
  });
}

bool VerdictStore::commit(int shard, const DecisionCore& core, const CoreChanges& changes, const Positions& from,
                          const Positions& to) {
  return commit(prepare(shard, core, changes, from, to));
}

}  // namespace phoenix::arbiter
