#include "arbiter/sweep_sql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace phoenix::arbiter {
namespace {

const char* cast_of(SweepKeyType type) {
  switch (type) {
    case SweepKeyType::integer:
      return "bigint";
    case SweepKeyType::uuid:
      return "uuid";
    case SweepKeyType::text:
      break;
  }
  return "text";
}

/// What a balance in minor units is multiplied with: exact, where a division would round.
std::string unit_of(int scale) {
  return scale == 0 ? "1" : "0." + std::string(static_cast<std::size_t>(scale) - 1, '0') + "1";
}

bool is_uuid(const std::string& key) {
  constexpr std::size_t kLength = 36;
  if (key.size() != kLength) return false;
  for (std::size_t i = 0; i < kLength; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = key[i];
    // Lower case alone: the text of a key must be what Postgres makes of it.
    if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

bool is_integer(const std::string& key) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), value);
  return error == std::errc() && end == key.data() + key.size() && std::to_string(value) == key;
}

}  // namespace

std::optional<SweepKeyType> sweep_key_type(const std::string& postgres_type) {
  if (postgres_type == "smallint" || postgres_type == "integer" || postgres_type == "bigint")
    return SweepKeyType::integer;
  if (postgres_type == "text" || postgres_type == "character varying") return SweepKeyType::text;
  if (postgres_type == "uuid") return SweepKeyType::uuid;
  return std::nullopt;
}

bool fits_key_type(const std::string& key, SweepKeyType type) {
  switch (type) {
    case SweepKeyType::integer:
      return is_integer(key);
    case SweepKeyType::uuid:
      return is_uuid(key);
    case SweepKeyType::text:
      break;
  }
  return key.find('\0') == std::string::npos;
}

std::string array_literal(const std::vector<std::string>& keys) {
  std::string text = "{";
  for (const auto& key : keys) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (const char c : key) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

std::string SweepSql::probe(const config::SweepTableConfig& table) {
  // The outer join gives types without a row. An ICU database sorts by its locale, whatever datcollate says.
  return fmt::format(
      "SELECT pg_typeof(x.k)::text, pg_typeof(x.b)::text, coalesce(collation for (x.t), '') IN ('\"C\"', '\"POSIX\"')"
      " OR (d.datcollate IN ('C', 'POSIX') AND coalesce(to_jsonb(d)->>'datlocprovider', 'c') = 'c'"
      " AND coalesce(collation for (x.t), '') = '\"default\"')"
      " FROM pg_database d LEFT JOIN LATERAL (SELECT {0} AS k, ({0})::text AS t, {1} AS b FROM {2} AS t LIMIT 1) x ON "
      "true"
      " WHERE d.datname = current_database()",
      table.key, table.balance, table.table);
}

std::string SweepSql::key() const {
  if (options_.type != SweepKeyType::text) return table_.key;
  return fmt::format("({})::text{}", table_.key, options_.force_c_collation ? " COLLATE \"C\"" : "");
}

std::string SweepSql::parameter(int number) const {
  return fmt::format("${}::{}", number, cast_of(options_.type));
}

std::string SweepSql::where(const KeyRange& range) const {
  if (!range.low && !range.high) return "true";
  if (!range.high) return fmt::format("{} > {}", key(), parameter(1));
  if (!range.low) return fmt::format("{} <= {}", key(), parameter(1));
  return fmt::format("{0} > {1} AND {0} <= {2}", key(), parameter(1), parameter(2));
}

std::string SweepSql::nth_key(const KeyRange& range, int rows) const {
  return fmt::format("SELECT ({0})::text AS nth FROM {1} AS t WHERE {2} ORDER BY {0} OFFSET {3} LIMIT 1", key(),
                     table_.table, where(range), rows - 1);
}

std::string SweepSql::select(const std::string& condition) const {
  return fmt::format("SELECT ({0})::text AS k, ({1})::numeric * {2} AS b, {3} AS c FROM {4} AS t WHERE {5}", key(),
                     table_.balance, unit_of(table_.scale),
                     options_.currency ? fmt::format("coalesce(({})::text, '')", table_.currency) : "''", table_.table,
                     condition);
}

std::string SweepSql::digest(const KeyRange& range) const {
  return fmt::format(
      "SELECT count(*), coalesce(trim_scale(sum(b)), 0)::text, coalesce(sum(hashtextextended("
      "k || '|' || coalesce(trim_scale(b)::text, '') || '|' || c, 0)::numeric), 0)::text FROM ({}) s",
      select(where(range)));
}

std::string SweepSql::rows(const KeyRange& range) const {
  return fmt::format("SELECT k, trim_scale(b)::text, c FROM ({}) s", select(where(range)));
}

std::string SweepSql::rows_of_keys() const {
  return fmt::format("SELECT k, trim_scale(b)::text, c FROM ({}) s",
                     select(fmt::format("{} = ANY($1::{}[])", key(), cast_of(options_.type))));
}

std::string SweepSql::estimate() const {
  if (table_.table.starts_with('(')) return "SELECT NULL::bigint";
  return fmt::format("SELECT nullif(reltuples, -1)::bigint FROM pg_class WHERE oid = '{}'::regclass", table_.table);
}

}  // namespace phoenix::arbiter
