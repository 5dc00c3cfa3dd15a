#include "arbiter/capture/change_envelope.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

namespace phoenix::capture {
namespace {

using Json = nlohmann::json;
constexpr int kVersion = 1;

// Fixed object ids of built-in types (src/include/catalog/pg_type.dat).
constexpr Oid kBool = 16, kInt8 = 20, kInt2 = 21, kInt4 = 23;

Json value_of(const Column& column, Oid type, std::uint64_t& left_out) {
  if (column.kind == Column::Kind::null) return nullptr;
  if (column.kind == Column::Kind::unchanged) return kUnavailableValue;
  if (column.text.size() > kMaxValueBytes) {
    ++left_out;
    return kUnavailableValue;
  }
  if (type == kBool) return column.text == "t";
  if (type == kInt2 || type == kInt4 || type == kInt8) {
    std::int64_t number = 0;
    const char* const last = column.text.data() + column.text.size();
    const auto [end, error] = std::from_chars(column.text.data(), last, number);
    if (error == std::errc{} && end == last) return number;
  }
  return std::string(column.text);
}

Json row_of(const Relation& relation, const Tuple& tuple, bool key_only, std::uint64_t& left_out) {
  Json row = Json::object();
  for (std::size_t i = 0; i < tuple.size(); ++i) {
    const auto& column = relation.columns[i];
    if (key_only && !column.key) continue;
    row[column.name] = value_of(tuple[i], column.type, left_out);
  }
  return row;
}

// A database in SQL_ASCII may hold any bytes.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

EncodedChange encode_change(const Change& change, const EnvelopeSource& source, std::int64_t now_ms) {
  EncodedChange result;
  const Relation& relation = *change.relation;
  Json json{
      {"v", kVersion}, {"op", std::string(1, change.op)}, {"before", nullptr}, {"after", nullptr}, {"ts_ms", now_ms}};
  if (change.before != nullptr)
    json["before"] = row_of(relation, change.before->columns, change.before->key_only, result.values_left_out);
  if (change.after != nullptr) json["after"] = row_of(relation, *change.after, false, result.values_left_out);
  json["source"] = {{"connector", "postgresql"},
                    {"name", source.side},
                    {"kind", "capture"},
                    {"db", source.database},
                    {"schema", relation.schema},
                    {"table", relation.table},
                    {"txId", change.xid},
                    {"lsn", change.lsn},
                    {"commit_lsn", change.commit_lsn},
                    {"ts_ms", change.commit_us / 1000},
                    {"ts_us", change.commit_us},
                    {"snapshot", "false"}};
  json["transaction"] = {{"id", fmt::format("{}:{}", change.xid, change.commit_lsn)},
                         {"total_order", change.total_order},
                         {"data_collection_order", change.table_order}};
  if (!change.exchange_id.empty()) json["exchange_id"] = change.exchange_id;
  result.value = dump(json);
  return result;
}

std::string encode_marker(const EnvelopeSource& source, std::int64_t covers, Lsn lsn, std::int64_t commit_us,
                          std::int64_t now_ms) {
  return dump(Json{{"v", kVersion},
                   {"op", "m"},
                   {"before", nullptr},
                   {"after", nullptr},
                   {"covers", covers},
                   {"source",
                    {{"connector", "postgresql"},
                     {"name", source.side},
                     {"kind", "capture"},
                     {"db", source.database},
                     {"lsn", lsn},
                     {"ts_us", commit_us}}},
                   {"ts_ms", now_ms}});
}

std::string encode_gap(const EnvelopeSource& source, const std::string& reason, Lsn lsn, std::int64_t now_ms) {
  return dump(Json{{"v", kVersion},
                   {"op", "gap"},
                   {"before", nullptr},
                   {"after", nullptr},
                   {"reason", reason},
                   {"source",
                    {{"connector", "postgresql"},
                     {"name", source.side},
                     {"kind", "capture"},
                     {"db", source.database},
                     {"lsn", lsn}}},
                   {"ts_ms", now_ms}});
}

}  // namespace phoenix::capture
