#include "arbiter/capture/pgoutput.hpp"

#include <fmt/format.h>

#include "arbiter/capture/byte_reader.hpp"

namespace phoenix::capture {
namespace {

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : reader_(bytes) {}

  Result<Message> decode() {
    if (reader_.rest().empty()) return invalid_input("pgoutput: an empty message");
    const char kind = static_cast<char>(reader_.u8());
    Message message = body(kind);
    if (!problem_.empty()) return invalid_input(fmt::format("pgoutput: message '{}': {}", kind, problem_));
    if (!reader_.ok()) return invalid_input(fmt::format("pgoutput: message '{}' is cut short", kind));
    if (!reader_.rest().empty())
      return invalid_input(fmt::format("pgoutput: message '{}' has {} bytes too many", kind, reader_.rest().size()));
    return message;
  }

 private:
  Message body(char kind) {
    switch (kind) {
      case 'B': {
        const Lsn lsn = reader_.u64();
        const std::int64_t at_us = time();
        return Begin{lsn, at_us, reader_.u32()};
      }
      case 'C': {
        reader_.u8();  // flags, none defined
        const Lsn lsn = reader_.u64();
        const Lsn end = reader_.u64();
        return Commit{lsn, end, time()};
      }
      case 'R':
        return relation();
      case 'I': {
        const Oid oid = reader_.u32();
        return Insert{oid, new_tuple(static_cast<char>(reader_.u8()))};
      }
      case 'U':
        return update();
      case 'D': {
        const Oid oid = reader_.u32();
        return Delete{oid, old_tuple(static_cast<char>(reader_.u8()))};
      }
      case 'T':
        return truncate();
      case 'M': {
        const bool transactional = (reader_.u8() & 1) != 0;
        const Lsn lsn = reader_.u64();
        const std::string_view prefix = reader_.text();
        const std::uint32_t size = reader_.u32();
        return LogicalMessage{transactional, lsn, prefix, reader_.bytes(size)};
      }
      case 'O': {
        reader_.u64();  // commit position on the origin
        return Origin{reader_.text()};
      }
      case 'Y': {
        const Oid oid = reader_.u32();
        reader_.text();  // schema
        return Type{oid, reader_.text()};
      }
      default: {
        problem_ = "unknown kind; only protocol version 1 is read";
        return Origin{};
      }
    }
  }

  std::int64_t time() {
    const std::int64_t since_2000 = reader_.i64();
    if (since_2000 > INT64_MAX - kPostgresEpochUs) {
      problem_ = "its time is out of range";
      return 0;
    }
    return since_2000 + kPostgresEpochUs;
  }

  Relation relation() {
    Relation result;
    result.oid = reader_.u32();
    result.schema = reader_.text();
    if (result.schema.empty()) result.schema = "pg_catalog";  // how the protocol writes it
    result.table = reader_.text();
    result.identity = static_cast<char>(reader_.u8());
    const std::uint16_t count = reader_.u16();
    for (std::uint16_t i = 0; i < count && reader_.ok(); ++i) {
      Relation::Attribute column;
      column.key = (reader_.u8() & 1) != 0;
      column.name = reader_.text();
      column.type = reader_.u32();
      column.modifier = static_cast<std::int32_t>(reader_.u32());
      result.columns.push_back(std::move(column));
    }
    return result;
  }

  Tuple tuple() {
    Tuple columns;
    const std::uint16_t count = reader_.u16();
    for (std::uint16_t i = 0; i < count && reader_.ok(); ++i) {
      const char kind = static_cast<char>(reader_.u8());
      if (kind == 'n') {
        columns.push_back({Column::Kind::null, {}});
      } else if (kind == 'u') {
        columns.push_back({Column::Kind::unchanged, {}});
      } else if (kind == 't') {
        const std::uint32_t size = reader_.u32();
        columns.push_back({Column::Kind::text, reader_.bytes(size)});
      } else if (reader_.ok()) {
        problem_ = kind == 'b' ? "a binary value; values are read as text" : "a column of unknown kind";
        reader_.fail();
      }
    }
    return columns;
  }

  Tuple new_tuple(char tag) {
    if (tag == 'N') return tuple();
    expected("a new row");
    return {};
  }

  OldTuple old_tuple(char tag) {
    if (tag == 'K' || tag == 'O') return {tuple(), tag == 'K'};
    expected("an old row");
    return {};
  }

  Update update() {
    Update result;
    result.relation = reader_.u32();
    char tag = static_cast<char>(reader_.u8());
    if (tag == 'K' || tag == 'O') {
      result.before = old_tuple(tag);
      tag = static_cast<char>(reader_.u8());
    }
    result.after = new_tuple(tag);
    return result;
  }

  Truncate truncate() {
    Truncate result;
    const std::uint32_t count = reader_.u32();
    reader_.u8();  // cascade, restart identity
    for (std::uint32_t i = 0; i < count && reader_.ok(); ++i) result.relations.push_back(reader_.u32());
    return result;
  }

  void expected(const char* what) {
    if (!reader_.ok() || !problem_.empty()) return;
    problem_ = fmt::format("{} is missing", what);
    reader_.fail();
  }

  ByteReader reader_;
  std::string problem_;
};

}  // namespace

Result<Message> decode_pgoutput(std::string_view bytes) {
  return Decoder(bytes).decode();
}

}  // namespace phoenix::capture
