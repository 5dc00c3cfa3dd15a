// The one configuration file, phoenix.yml, as every program sees it. Loading is strict: an unknown key, a wrong unit or
// an impossible combination is an error that names the key, its line and the nearest valid key. docs/configuration.md
// is the user's reference; defaults are here.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/model/result.hpp"
#include "core/model/traffic_policy.hpp"
#include "core/runtime/config_gateway.hpp"

namespace phoenix::config {

enum class Mode { local, enterprise };

struct EventLogConfig {
  struct Sqlite {
    std::string path = "var/events.db";
    std::chrono::seconds retain_age{7 * 24 * 3600};
    std::uint64_t retain_bytes = 4ull << 30;
    friend bool operator==(const Sqlite&, const Sqlite&) = default;
  } sqlite;
  struct Kafka {
    std::string brokers = "127.0.0.1:9092";
    int partitions = 4;
    std::string topic_prefix;                       // of topics and consumer groups
    std::map<std::string, std::string> properties;  // handed to librdkafka as they are
    friend bool operator==(const Kafka&, const Kafka&) = default;
  } kafka;
  friend bool operator==(const EventLogConfig&, const EventLogConfig&) = default;
};

struct SliceConfig {
  std::string name = "default";
  Stage stage = Stage::shadow;
  std::uint32_t weight_basis_points = 0;
  friend bool operator==(const SliceConfig&, const SliceConfig&) = default;
};

struct LedgerConfig {
  std::string url;            // libpq URL or conninfo; empty: no balance comparison
  std::string balance_query;  // $1 is the account; columns balance, currency[, txn_count, txn_hash]
};

/// Where the arbiter learns what a ledger holds: its own queries, phoenix-capture's records, Debezium's topics.
enum class StateSource { query, capture, debezium };

/// Where balances stand in a side's change stream.
struct StateTableConfig {
  enum class Decimals { text, base64, number };  // how Debezium spells them where no schema comes with the record
  std::string table;                             // schema.table; empty: not configured
  std::string account = "id";                    // columns
  std::string balance = "balance";
  std::string currency;          // column; empty: none
  std::string currency_default;  // where the column is missing or empty
  std::optional<int> scale;      // the balance is a whole number of 10^-scale
  Decimals decimals = Decimals::text;
  std::string slice;                // default: the only one
  std::vector<std::string> topics;  // Debezium's, for the table and for messages
};

/// Writes that both ledgers get from elsewhere: the changes of one side that belong to those of the other.
struct JobConfig {
  std::string name;
  std::vector<std::string> accounts{"*"};  // patterns, '*' stands for any text
  milliseconds window{3'600'000};          // between the two sides
  bool equal_amount = true;                // otherwise the account alone pairs
};

struct ArbiterConfig {
  Endpoint listen{"127.0.0.1", 9200};
  std::string database;  // verdict store; default: orchestrator.database
  LedgerConfig legacy_db;
  LedgerConfig modern_db;
  StateSource state_source = StateSource::query;
  StateTableConfig legacy_state;
  StateTableConfig modern_state;
  std::vector<JobConfig> jobs;
  milliseconds settle{5'000};        // event time after which differing positions at quiescence are decided
  milliseconds score_interval{500};  // event time between two scores of a slice
};

struct CaptureSideConfig {
  std::string url;  // libpq URL or conninfo; empty: this side is not captured
  std::string publication = "phoenix";
  std::string slot;
  std::map<std::string, std::string> tables;  // [schema.]table -> column that holds the account
  bool create = false;                        // publication and slot, when they are missing
};

struct CaptureConfig {
  Endpoint listen{"127.0.0.1", 9210};
  std::string topic = "db-state-updates";
  CaptureSideConfig legacy{.url = {}, .slot = "phoenix_legacy", .tables = {}};
  CaptureSideConfig modern{.url = {}, .slot = "phoenix_modern", .tables = {}};
  milliseconds heartbeat{1'000};            // between status updates to Postgres, and readings of the slot's lag
  std::uint64_t max_slot_lag = 1ull << 30;  // bytes; beyond it not ready. 0: no limit
};

struct RampConfig {
  std::vector<std::uint32_t> steps_basis_points{100, 500, 1000, 2500, 5000, 7500, 10000};
  double p0 = 0.001;
  double alpha = 0.01;
  double min_coverage = 0.95;
  double average_run_length = 1e6;  // mean units to a false trip of the kill switch
  bool trip_on_first_balance_mismatch = true;
  milliseconds max_score_age{10'000};
  milliseconds min_step{0};  // least time at one rung
};

struct OrchestratorConfig {
  Endpoint listen{"127.0.0.1", 9300};
  std::string database = "postgresql:///phoenix";
  RampConfig ramp;
  milliseconds policy_ttl{30'000};
  milliseconds policy_renew{5'000};
  milliseconds tick{200};
};

struct Config {
  std::string path;  // as given
  std::string hash;  // XXH3-128 of the text after environment substitution, hex; recorded in the audit
  Mode mode = Mode::local;
  std::string migration_name = "migration";
  std::string salt = "phoenix";
  EventLogConfig event_log;
  std::vector<SliceConfig> slices;  // never empty: `default` when omitted
  GatewayConfig gateway;
  bool has_gateway = false;
  std::vector<Endpoint> control_gateways;
  ArbiterConfig arbiter;
  CaptureConfig capture;
  OrchestratorConfig orchestrator;

  [[nodiscard]] const SliceConfig* find_slice(std::string_view name) const;
};

/// Loads and validates; the error is one line (`phoenix.yml:12: unknown key 'lisen' in gateway; did you mean
/// 'listen'?`).
Result<Config> load(const std::string& path);
/// The same from text; `name` stands for the file in messages.
Result<Config> parse(const std::string& text, const std::string& name);

/// "250ms", "15s", "5m", "7d" / "64KiB", "1MiB", "512" (bytes) / "127.0.0.1:8080", "http://host:80".
Result<milliseconds> parse_duration(std::string_view text);
Result<std::uint64_t> parse_bytes(std::string_view text);
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace phoenix::config
