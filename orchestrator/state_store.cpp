#include "orchestrator/state_store.hpp"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "orchestrator/database.hpp"
#include "orchestrator/state_codec.hpp"

namespace phoenix::orchestrator {
namespace {

// `evidence` is json, not jsonb: the text that was hashed must come back byte for byte.
constexpr const char* kSchema = R"sql(
CREATE SCHEMA IF NOT EXISTS orchestrator;
CREATE TABLE IF NOT EXISTS orchestrator.state (
  migration  text PRIMARY KEY,
  epoch      bigint NOT NULL,
  renewal    bigint NOT NULL,
  document   jsonb NOT NULL,
  audit_seq  bigint NOT NULL,
  audit_hash text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS orchestrator.audit (
  migration   text NOT NULL,
  seq         bigint NOT NULL,
  at_unix_ms  bigint NOT NULL,
  at          timestamptz GENERATED ALWAYS AS (to_timestamp(at_unix_ms / 1000.0)) STORED,
  who         text NOT NULL,
  action      text NOT NULL,
  slice       text NOT NULL,
  from_state  text NOT NULL,
  to_state    text NOT NULL,
  reason      text NOT NULL,
  evidence    json NOT NULL,
  config_hash text NOT NULL,
  prev_hash   text NOT NULL,
  hash        text NOT NULL,
  PRIMARY KEY (migration, seq)
);
CREATE OR REPLACE FUNCTION orchestrator.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'the audit record is append-only'; END $$;
CREATE OR REPLACE TRIGGER audit_rows_stay BEFORE UPDATE OR DELETE ON orchestrator.audit
  FOR EACH ROW EXECUTE FUNCTION orchestrator.refuse_change();
CREATE OR REPLACE TRIGGER audit_stays BEFORE TRUNCATE ON orchestrator.audit
  FOR EACH STATEMENT EXECUTE FUNCTION orchestrator.refuse_change();
)sql";

constexpr const char* kTryLead =
    "SELECT pg_backend_pid(), pg_try_advisory_lock(hashtextextended('phoenix-orchestrator-leader:' || $1, 0))";

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

/// Runs `body` and turns libpqxx's exceptions into ours.
template <class Body>
auto guarded(const char* doing, Body&& body) {
  try {
    return body();
  } catch (const pqxx::broken_connection& e) {
    throw Failure(ErrorCode::unavailable, fmt::format("the database is away while {}: {}", doing, one_line(e.what())));
  } catch (const pqxx::unique_violation& e) {
    throw Failure(ErrorCode::conflict,
                  fmt::format("another orchestrator wrote while {}: {}", doing, one_line(e.what())));
  } catch (const pqxx::failure& e) {
    throw Failure(ErrorCode::unavailable, fmt::format("the database failed while {}: {}", doing, one_line(e.what())));
  }
}

std::int64_t signed64(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

void append(pqxx::work& transaction, const std::string& migration, const AuditRow& row) {
  transaction.exec_params(
      "INSERT INTO orchestrator.audit (migration, seq, at_unix_ms, who, action, slice, from_state, to_state, reason, "
      "evidence, "
      "config_hash, prev_hash, hash) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)",
      migration, row.seq, row.entry.at_unix_ms, row.entry.who, row.entry.action, row.entry.slice, row.entry.from,
      row.entry.to, row.entry.reason, row.entry.evidence, row.config_hash, row.prev_hash, row.hash);
}

}  // namespace

struct StateStore::Impl {
  pqxx::connection connection;
  std::string migration;
  int backend_pid = 0;

  Impl(const std::string& connection_string, std::string migration_name)
      : connection(with_timeouts(connection_string)), migration(std::move(migration_name)) {
    backend_pid = connection.backendpid();
  }

  // libpqxx 6 may reconnect silently: that would be a new session, which does not hold the lock.
  void require_same_session(int pid) const {
    if (pid != backend_pid) throw pqxx::broken_connection("the session was replaced by a new one");
  }
};

StateStore::StateStore(const std::string& connection, std::string migration) {
  guarded("connecting", [&] {
    impl_ = std::make_unique<Impl>(connection, std::move(migration));
    pqxx::work transaction(impl_->connection);
    transaction.exec("SET LOCAL client_min_messages = warning");
    transaction.exec("SELECT pg_advisory_xact_lock(hashtextextended('phoenix-orchestrator-schema', 0))");
    transaction.exec(kSchema);
    transaction.commit();
    pqxx::nontransaction session(impl_->connection);
    // A server that does not answer in time counts as away; also what a stuck lock of somebody else would cost us.
    session.exec("SET statement_timeout = '5s'");
  });
}

StateStore::~StateStore() = default;

bool StateStore::try_lead() {
  return guarded("asking for the lead", [&] {
    pqxx::nontransaction session(impl_->connection);
    const auto row = session.exec_params1(kTryLead, impl_->migration);
    impl_->require_same_session(row[0].as<int>());
    return row[1].as<bool>();
  });
}

void StateStore::check_session() {
  guarded("checking the lead", [&] {
    pqxx::nontransaction session(impl_->connection);
    impl_->require_same_session(session.exec1("SELECT pg_backend_pid()")[0].as<int>());
  });
}

std::optional<StoredState> StateStore::load() {
  return guarded("reading the state", [&]() -> std::optional<StoredState> {
    pqxx::work transaction(impl_->connection);
    const auto rows = transaction.exec_params(
        "SELECT document::text, renewal, audit_seq, audit_hash FROM orchestrator.state WHERE migration = $1",
        impl_->migration);
    if (rows.empty()) return std::nullopt;
    auto state = decode_state(rows[0][0].as<std::string>());
    if (!state) throw Failure(ErrorCode::internal, "orchestrator.state: " + state.error().message);
    state->policy.renewal = rows[0][1].as<std::uint64_t>();
    return StoredState{std::move(*state), {rows[0][2].as<std::int64_t>(), rows[0][3].as<std::string>()}};
  });
}

AuditHead StateStore::save(const ControlState* previous, const ControlState& next, const AuditHead& head,
                           const std::vector<AuditEntry>& entries, const std::string& config_hash) {
  return guarded("saving the state", [&] {
    AuditHead now = head;
    pqxx::work transaction(impl_->connection);
    impl_->require_same_session(transaction.exec1("SELECT pg_backend_pid()")[0].as<int>());
    for (const AuditEntry& entry : entries) {
      const AuditRow row = chain_entry(entry, config_hash, now.seq, now.hash);
      append(transaction, impl_->migration, row);
      now = {row.seq, row.hash};
    }
    pqxx::result written;
    if (previous == nullptr) {
      written = transaction.exec_params(
          "INSERT INTO orchestrator.state (migration, epoch, renewal, document, audit_seq, audit_hash) "
          "VALUES ($1,$2,$3,$4,$5,$6) ON CONFLICT DO NOTHING",
          impl_->migration, signed64(next.policy.epoch), signed64(next.policy.renewal), encode_state(next), now.seq,
          now.hash);
    } else {
      written = transaction.exec_params(
          "UPDATE orchestrator.state SET epoch = $2, renewal = $3, document = $4, audit_seq = $5, audit_hash = $6, "
          "updated_at = now() WHERE migration = $1 AND epoch = $7 AND renewal = $8 AND audit_seq = $9",
          impl_->migration, signed64(next.policy.epoch), signed64(next.policy.renewal), encode_state(next), now.seq,
          now.hash, signed64(previous->policy.epoch), signed64(previous->policy.renewal), head.seq);
    }
    if (written.affected_rows() != 1) {
      throw Failure(ErrorCode::conflict, "another orchestrator changed the stored state; this one stands back");
    }
    transaction.commit();
    return now;
  });
}

AuditHistory read_history(const std::string& connection, const std::string& migration, std::size_t limit) {
  return guarded("reading the audit", [&] {
    pqxx::connection session(with_timeouts(connection));
    // One snapshot, so that the head belongs to the rows.
    pqxx::transaction<pqxx::repeatable_read, pqxx::read_only> transaction(session);
    AuditHistory history;
    const auto state =
        transaction.exec_params("SELECT audit_seq, audit_hash FROM orchestrator.state WHERE migration = $1", migration);
    if (!state.empty()) history.head = {state[0][0].as<std::int64_t>(), state[0][1].as<std::string>()};
    const auto rows = transaction.exec_params(
        "SELECT seq, at_unix_ms, who, action, slice, from_state, to_state, reason, evidence::text, config_hash, "
        "prev_hash, hash "
        "FROM orchestrator.audit WHERE migration = $1 ORDER BY seq DESC LIMIT NULLIF($2::bigint, 0)",
        migration, static_cast<std::int64_t>(limit));
    history.rows.reserve(rows.size());
    for (auto i = rows.size(); i-- > 0;) {
      const auto& r = rows[i];
      const auto text = [&r](int column) { return r[column].as<std::string>(); };
      history.rows.push_back({r[0].as<std::int64_t>(),
                              {text(2), text(3), text(4), text(5), text(6), text(7), text(8), r[1].as<std::int64_t>()},
                              text(9),
                              text(10),
                              text(11)});
    }
    return history;
  });
}

}  // namespace phoenix::orchestrator
