// Records as Debezium's connector writes them without schemas, and a database with a slot that it would read.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <pqxx/pqxx>
#include <string>
#include <string_view>

#include "fixture.hpp"

namespace phoenix::arbiter_test {

class Connector {
 public:
  explicit Connector(const char* side) : side_(side), database_(side), slot_(database_.name() + "_slot") {
    run("SELECT pg_create_logical_replication_slot('" + slot_ + "', 'pgoutput')");
  }
  ~Connector() { run("SELECT pg_drop_replication_slot('" + slot_ + "')"); }
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  /// As when Kafka Connect commits its offsets.
  void confirm() { run("SELECT pg_replication_slot_advance('" + slot_ + "', pg_current_wal_insert_lsn())"); }
  void configure(config::LedgerConfig& ledger, config::StateTableConfig& state) const {
    ledger = {database_.url(), "SELECT 0, 'EUR' WHERE $1 = ''"};
    state.table = "public.accounts";
    state.slice = "payments";
    state.slot = slot_;
    state.topics = {side_ + ".public.accounts", side_ + ".message"};
  }

 private:
  void run(const std::string& sql) const {
    pqxx::connection connection(database_.url());
    pqxx::nontransaction(connection).exec(sql);
  }

  const std::string side_;
  ScratchDatabase database_;
  const std::string slot_;
};

/// The arbiter reads both sides' changes from Debezium's topics.
inline void read_debezium(config::ArbiterConfig& arbiter, const Connector& legacy, const Connector& modern) {
  legacy.configure(arbiter.legacy_db, arbiter.legacy_state);
  modern.configure(arbiter.modern_db, arbiter.modern_state);
  arbiter.state_source = config::StateSource::debezium;
}

/// Where a record was emitted: the commit before its transaction, its own position, and the transaction's number.
struct Emitted {
  std::uint64_t last_commit, lsn;
  int transaction;
};

inline std::string debezium_source(const Emitted& at) {
  return fmt::format(R"({{"schema":"public","table":"accounts","txId":{},"lsn":{},"sequence":"[\"{}\",\"{}\"]"}})",
                     at.transaction, at.lsn, at.last_commit, at.lsn);
}

inline std::string debezium_row(const Emitted& at, int account, const std::string& before, const std::string& after) {
  return fmt::format(
      R"({{"op":"u","before":{{"id":{0},"balance":"{1}"}},"after":{{"id":{0},"balance":"{2}"}},"source":{3}}})",
      account, before, after, debezium_source(at));
}

inline std::string base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string encoded;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t b = 0; b < 3; ++b)
      bits = bits << 8 | (i + b < text.size() ? static_cast<unsigned char>(text[i + b]) : 0U);
    for (std::size_t d = 0; d < 4; ++d) encoded += i + d > text.size() ? '=' : kDigits[bits >> (18 - 6 * d) & 63];
  }
  return encoded;
}

/// `content`: what the transaction gave to pg_logical_emit_message.
inline std::string debezium_message(const Emitted& at, std::string_view content) {
  return fmt::format(R"({{"op":"m","message":{{"prefix":"phoenix","content":"{}"}},"source":{}}})", base64(content),
                     debezium_source(at));
}

}  // namespace phoenix::arbiter_test
