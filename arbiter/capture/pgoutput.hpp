// Messages of Postgres' output plugin pgoutput, protocol version 1, values as text. Format: PostgreSQL documentation,
// "Logical Replication Message Formats". Pure. Views point into the bytes that were decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "arbiter/capture/lsn.hpp"
#include "core/model/result.hpp"

namespace phoenix::capture {

using Oid = std::uint32_t;

struct Column {
  enum class Kind { null, unchanged, text };
  Kind kind = Kind::null;  ///< unchanged: a long value that the update did not touch and that was not sent
  std::string_view text;
};
using Tuple = std::vector<Column>;

struct Begin {
  Lsn commit_lsn = 0;
  std::int64_t commit_us = 0;  ///< Unix time
  std::uint32_t xid = 0;
};
struct Commit {
  Lsn commit_lsn = 0;
  Lsn end_lsn = 0;  ///< one past the transaction: where reading resumes
  std::int64_t commit_us = 0;
};
struct Relation {
  struct Attribute {
    bool key = false;  ///< part of the replica identity
    std::string name;
    Oid type = 0;
    std::int32_t modifier = -1;
    friend bool operator==(const Attribute&, const Attribute&) = default;
  };
  Oid oid = 0;
  std::string schema;
  std::string table;
  char identity = 'd';  ///< d default, n nothing, f full, i index
  std::vector<Attribute> columns;
};
/// A row as it was: all of it (replica identity FULL), or its key columns alone.
struct OldTuple {
  Tuple columns;
  bool key_only = false;
};
struct Insert {
  Oid relation = 0;
  Tuple after;
};
struct Update {
  Oid relation = 0;
  std::optional<OldTuple> before;  ///< absent when the key did not change and the identity is not FULL
  Tuple after;
};
struct Delete {
  Oid relation = 0;
  OldTuple before;
};
struct Truncate {
  std::vector<Oid> relations;
};
struct LogicalMessage {  ///< of pg_logical_emit_message
  bool transactional = false;
  Lsn lsn = 0;
  std::string_view prefix;
  std::string_view content;
};
struct Origin {
  std::string_view name;
};
struct Type {
  Oid oid = 0;
  std::string_view name;
};

using Message = std::variant<Begin, Commit, Relation, Insert, Update, Delete, Truncate, LogicalMessage, Origin, Type>;

/// invalid_input when the bytes are cut short, too long, of an unknown kind, or carry a binary value.
Result<Message> decode_pgoutput(std::string_view bytes);

}  // namespace phoenix::capture
