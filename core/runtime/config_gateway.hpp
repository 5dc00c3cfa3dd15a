// The section `gateway` of phoenix.yml. docs/configuration.md is the user's reference; defaults are here.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace phoenix::config {

using std::chrono::milliseconds;

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// Where a backend is reached: a TCP address or name, or a Unix socket.
struct BackendEndpoint {
  Endpoint address;       // unless `unix_path` is set
  std::string unix_path;  // unix:/run/core.sock
  bool tls = false;       // https://
  int weight = 1;         // share of the requests, relative to the others
  /// As it stands in /status, metrics and logs: host:port or unix:PATH.
  [[nodiscard]] std::string name() const;
  friend bool operator==(const BackendEndpoint&, const BackendEndpoint&) = default;
};

enum class Balance { round_robin, least_requests, weighted, consistent_hash };

/// How the gateway reaches legacy or modern.
struct BackendConfig {
  std::vector<BackendEndpoint> endpoints;
  Balance balance = Balance::round_robin;
  std::string host;                // replaces the client's Host field; empty: as the client sent it
  std::uint64_t in_flight = 0;     // most requests at once, over all event loops; 0: no limit
  milliseconds resolve{30'000};    // names are resolved again after this
  milliseconds keep_idle{60'000};  // an idle connection is closed after this
  struct Tls {
    std::string ca_file;      // PEM; empty: the system's certificates
    std::string server_name;  // for SNI and verification; empty: the endpoint's host
    std::string certificate;  // PEM, for backends that ask for one
    std::string private_key;
    bool verify = true;
    friend bool operator==(const Tls&, const Tls&) = default;
  } tls;
  struct HealthCheck {
    std::string path;  // empty: no active check
    milliseconds interval{5'000}, timeout{2'000};
    int healthy_after = 2;    // good answers (status < 400) in a row
    int unhealthy_after = 3;  // bad ones in a row
    friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
  } health_check;
  struct Ejection {
    int failures = 5;  // in a row: failed connects, resets, time-outs, 502..504; 0: never
    milliseconds duration{10'000};
    int max_percent = 50;  // of the endpoints at once; a single endpoint is never ejected
    friend bool operator==(const Ejection&, const Ejection&) = default;
  } ejection;
  struct CircuitBreaker {
    int failures = 0;          // in a row, over all endpoints; 0: no breaker
    milliseconds open{5'000};  // then one request may try
    friend bool operator==(const CircuitBreaker&, const CircuitBreaker&) = default;
  } circuit_breaker;
  /// Credentials of a shadow leg that waited so long that the client's may have expired.
  struct ShadowAuth {
    std::string header;  // empty: the client's are sent, however late
    std::string value;
    milliseconds after{10'000};  // counted from the end of the serving leg
    [[nodiscard]] bool enabled() const { return !header.empty(); }
    friend bool operator==(const ShadowAuth&, const ShadowAuth&) = default;
  } shadow_auth;
  [[nodiscard]] bool empty() const { return endpoints.empty(); }
  friend bool operator==(const BackendConfig&, const BackendConfig&) = default;
};

enum class ShadowMode { off, reads, dual };
enum class Ordering { none, key, strict };
/// Whether legacy answers when modern serves and fails before the client has seen a byte.
enum class Parachute { off, safe, writes };

struct KeyConfig {
  std::vector<std::string> json;  // JSON pointers into the request body
  std::string path;               // name of a template segment
  std::string header;
  std::string query;
  [[nodiscard]] bool none() const { return json.empty() && path.empty() && header.empty() && query.empty(); }
};

/// What two texts at one path may differ in and still be the same value.
enum class Normaliser {
  timestamp,    ///< RFC 3339 with an offset: the same instant
  uuid,         ///< the same 128 bits, with or without hyphens, braces and urn:uuid:, in either case
  letter_case,  ///< ASCII letters in either case
  number,       ///< the same exact decimal, as a number or as text
};

struct CompareConfig {
  /// JSON paths left out of comparison; a segment `*` matches every array element or member.
  std::vector<std::string> ignore;
  /// JSON path of the first key's balance after the exchange: compared by carrying the account's known gap, so that one
  /// wrong posting is one mismatch and not one for every later answer.
  std::string balance;
  std::vector<std::pair<std::string, Normaliser>> normalise{};   ///< by JSON path
  std::vector<std::pair<std::string, std::string>> tolerance{};  ///< JSON path, largest difference: an exact decimal
  std::vector<std::string> unordered{};                          ///< JSON paths of arrays that are multisets
  std::vector<std::pair<std::string, std::string>> keyed{};  ///< JSON path of an array, member that joins its objects
  std::vector<std::string> headers{};                        ///< names of response headers that must agree
  bool status_class = false;                                 ///< 200 and 201 agree; otherwise only equal ones do
};

/// When a backend's ledger has what its answer promises: with the answer, or some time after it.
enum class Posting { sync, async };

/// What of a write's outcome follows from the balance that it finds: another order of overlapping writes may change it.
enum class ReadsBalance { none, refusal, amount };

struct RouteConfig {
  std::string name;
  std::string slice = "default";
  std::vector<std::string> methods;  // empty: any
  std::string path;                  // template, or a prefix ending in /*
  KeyConfig key;
  ShadowMode shadow = ShadowMode::reads;
  std::uint32_t calibrate_basis_points = 0;           // share of the compared reads that legacy is asked once more
  std::uint32_t shadow_sample_basis_points = 10'000;  // share of the reads that get a shadow leg
  Ordering ordering = Ordering::key;
  bool idempotent = false;
  Parachute parachute = Parachute::safe;
  ReadsBalance reads_balance = ReadsBalance::none;
  std::string creates;  // JSON pointer of the id that the serving side assigns
  Posting posting = Posting::sync;
  milliseconds async_max{
      600'000};  // after the answer; a posting that is not there by then leaves the exchange undecided
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
  BackendConfig legacy;
  BackendConfig modern;
  struct Tls {
    std::string certificate;  // PEM, the server's own first; empty: plain HTTP
    std::string private_key;
    std::string client_ca;  // PEM; clients must show a certificate that one of these signed
    std::string min_version = "1.2";
    [[nodiscard]] bool enabled() const { return !certificate.empty(); }
    friend bool operator==(const Tls&, const Tls&) = default;
  } tls;
  bool proxy_protocol = false;                    // every connection begins with a PROXY protocol header, v1 or v2
  std::vector<std::string> trusted_proxies;       // addresses or CIDR blocks whose X-Forwarded-* fields are believed
  std::vector<std::string> upgrade{"websocket"};  // protocols that a client may switch to
  struct AccessLog {
    std::string path;   // empty: none; "-": standard output
    double sample = 1;  // share of the exchanges
  } access_log;
  struct Drain {
    milliseconds delay{0};  // not ready, but still accepting: what a load balancer needs to notice
    milliseconds deadline{10'000};
  } drain;
  struct Timeouts {
    milliseconds connect{1'000};
    milliseconds response{15'000};      // from the request's last byte to the answer's head
    milliseconds idle{60'000};          // silence in the middle of a body, or in a tunnel
    milliseconds keep_alive{60'000};    // a client connection between two requests
    milliseconds request_head{10'000};  // from a head's first byte to its last
    milliseconds gate_wait{50};
    milliseconds total{0};  // a whole exchange, from its head to the answer's last byte; 0: no limit
  } timeouts;
  struct Limits {
    std::uint64_t head_bytes = 64 << 10;
    std::uint64_t target_bytes = 16 << 10;
    std::uint64_t body_bytes = 0;  // 0: no limit
    std::uint64_t shadow_body_bytes = 1 << 20;
    std::uint64_t capture_bytes = 64 << 10;
    std::uint64_t key_body_bytes = 64 << 10;
    std::uint64_t connections = 10'000;
    std::uint64_t max_keys = 16;
    std::uint64_t shadow_queue = 20'000;              // exchanges waiting for their shadow leg
    std::uint64_t shadow_queue_bytes = 256ull << 20;  // and their bytes
    std::uint64_t shadow_connections = 32;            // per event loop and backend
    std::uint64_t shadow_response_bytes = 16 << 20;   // a longer answer to a shadow leg is not read to its end
    std::uint64_t spool_bytes = 4ull << 30;           // journal, with the shadow writes that wait on disk
    milliseconds spool_age{24 * 3'600'000};           // a shadow leg that has waited longer is given up
    std::uint64_t event_spool_bytes = 1ull << 30;     // events that the log does not have yet
  } limits;
  /// What stands in events as a keyed hash only.
  struct Redact {
    std::string key;                   // secret; empty: one of this gateway's own, in state_dir
    std::vector<std::string> headers;  // beside Authorization, Proxy-Authorization, Cookie and Set-Cookie
    std::vector<std::string> json;     // JSON pointers into bodies; a segment `*` matches every element or member
    std::vector<std::string> query;    // parameters of the query and of forms
  } redact;
  /// Who may force a request to one side.
  struct Override {
    std::string header = "X-Phoenix-Side";
    std::string token_header = "X-Phoenix-Token";
    std::string token;  // secret; empty: nobody
    [[nodiscard]] bool enabled() const { return !token.empty(); }
  } side_override;
  OnControlLoss on_control_loss = OnControlLoss::hold;
  std::vector<RouteConfig> routes;
};

}  // namespace phoenix::config
