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

namespace phoenix::config {

using std::chrono::milliseconds;

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

enum class Mode { local, enterprise };

struct EventLogConfig {
  struct Sqlite {
    std::string path = "var/events.db";
    std::chrono::seconds retain_age{7 * 24 * 3600};
    std::uint64_t retain_bytes = 4ull << 30;
  } sqlite;
  struct Kafka {
    std::string brokers = "127.0.0.1:9092";
    int partitions = 4;
    std::string topic_prefix;                       // of topics and consumer groups
    std::map<std::string, std::string> properties;  // handed to librdkafka as they are
  } kafka;
};

struct SliceConfig {
  std::string name = "default";
  Stage stage = Stage::shadow;
  std::uint32_t weight_basis_points = 0;
};

enum class ShadowMode { off, reads, dual };
enum class Ordering { none, key, strict };

struct KeyConfig {
  std::vector<std::string> json;  // JSON pointers into the request body
  std::string path;               // name of a template segment
  std::string header;
  std::string query;
  [[nodiscard]] bool none() const { return json.empty() && path.empty() && header.empty() && query.empty(); }
};

struct CompareConfig {
  /// JSON paths left out of comparison; a segment `*` matches every array element or member.
  std::vector<std::string> ignore;
  /// JSON path of the first key's balance after the exchange: compared by carrying the account's known gap, so that one
  /// wrong posting is one mismatch and not one for every later answer.
  std::string balance;
};

struct RouteConfig {
  std::string name;
  std::string slice = "default";
  std::vector<std::string> methods;  // empty: any
  std::string path;                  // template, or a prefix ending in /*
  KeyConfig key;
  ShadowMode shadow = ShadowMode::reads;
  Ordering ordering = Ordering::key;
  bool idempotent = false;
  std::string creates;  // JSON pointer of the id that the serving side assigns
  CompareConfig compare;
  int line = 0;
};

enum class OnControlLoss { hold, legacy };

struct GatewayConfig {
  std::string id;
  std::string state_dir = "var/gateway";
  Endpoint listen{"0.0.0.0", 8080};
  Endpoint admin_listen{"127.0.0.1", 9100};
  int threads = 0;
  std::vector<Endpoint> legacy;
  std::vector<Endpoint> modern;
  struct Timeouts {
    milliseconds connect{1'000}, response{15'000}, idle{60'000}, request_head{10'000}, gate_wait{50};
  } timeouts;
  struct Limits {
    std::uint64_t head_bytes = 64 << 10;
    std::uint64_t body_bytes = 0;  // 0: no limit
    std::uint64_t shadow_body_bytes = 1 << 20;
    std::uint64_t capture_bytes = 64 << 10;
    std::uint64_t key_body_bytes = 64 << 10;
    std::uint64_t connections = 10'000;
    std::uint64_t max_keys = 16;
    std::uint64_t shadow_queue = 20'000;              // exchanges waiting for their shadow leg
    std::uint64_t shadow_queue_bytes = 256ull << 20;  // and their bytes
    std::uint64_t shadow_connections = 32;            // per event loop and backend
  } limits;
  OnControlLoss on_control_loss = OnControlLoss::hold;
  std::vector<RouteConfig> routes;
};

struct LedgerConfig {
  std::string url;            // libpq URL or conninfo; empty: no balance comparison
  std::string balance_query;  // $1 is the account; columns balance, currency[, txn_count, txn_hash]
};

struct ArbiterConfig {
  Endpoint listen{"127.0.0.1", 9200};
  std::string database;  // verdict store; default: orchestrator.database
  LedgerConfig legacy_db;
  LedgerConfig modern_db;
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
