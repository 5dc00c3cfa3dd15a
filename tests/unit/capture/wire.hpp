// Builds the bytes of the replication protocol, field by field, as PostgreSQL's documentation lists them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace phoenix::capture_test {

class Wire {
 public:
  explicit Wire(char kind) : bytes_(1, kind) {}
  Wire& u8(unsigned value) { return number(value, 1); }
  Wire& u16(unsigned value) { return number(value, 2); }
  Wire& u32(std::uint64_t value) { return number(value, 4); }
  Wire& u64(std::uint64_t value) { return number(value, 8); }
  Wire& tag(char value) { return raw(std::string(1, value)); }
  Wire& text(const std::string& value) { return raw(value + '\0'); }
  Wire& raw(const std::string& value) {
    bytes_ += value;
    return *this;
  }
  /// Columns as text; none: NULL; "\1": unchanged.
  Wire& tuple(const std::vector<std::optional<std::string>>& columns) {
    u16(static_cast<unsigned>(columns.size()));
    for (const auto& column : columns) {
      if (!column) {
        tag('n');
      } else if (*column == "\1") {
        tag('u');
      } else {
        tag('t').u32(column->size()).raw(*column);
      }
    }
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  Wire& number(std::uint64_t value, int width) {
    for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) bytes_ += static_cast<char>((value >> shift) & 0xff);
    return *this;
  }
  std::string bytes_;
};

constexpr std::uint64_t kTime2026 = 820'540'800'000'000;  // 2026-01-01 in microseconds since 2000-01-01
constexpr std::int64_t kUnix2026 = 1'767'225'600'000'000;
constexpr unsigned kAccountsOid = 16'385;

inline std::string begin(std::uint64_t commit_lsn, unsigned xid) {
  return Wire('B').u64(commit_lsn).u64(kTime2026).u32(xid).bytes();
}
inline std::string commit(std::uint64_t commit_lsn, std::uint64_t end_lsn) {
  return Wire('C').u8(0).u64(commit_lsn).u64(end_lsn).u64(kTime2026).bytes();
}
/// accounts(id bigint, balance numeric, vip boolean, note text); id is the replica identity unless it is FULL.
inline std::string accounts(char identity = 'd', const std::string& table = "accounts", unsigned oid = kAccountsOid) {
  Wire wire('R');
  wire.u32(oid).text("public").text(table).tag(identity).u16(4);
  const unsigned rest = identity == 'f' ? 1 : 0;
  wire.u8(1).text("id").u32(20).u32(0xffffffff);
  wire.u8(rest).text("balance").u32(1700).u32(0xffffffff);
  wire.u8(rest).text("vip").u32(16).u32(0xffffffff);
  wire.u8(rest).text("note").u32(25).u32(0xffffffff);
  return wire.bytes();
}
using Row = std::vector<std::optional<std::string>>;
inline std::string insert(const Row& row, unsigned oid = kAccountsOid) {
  return Wire('I').u32(oid).tag('N').tuple(row).bytes();
}
inline std::string update(const Row& after) {
  return Wire('U').u32(kAccountsOid).tag('N').tuple(after).bytes();
}
inline std::string update(char tag, const Row& before, const Row& after) {
  return Wire('U').u32(kAccountsOid).tag(tag).tuple(before).tag('N').tuple(after).bytes();
}
inline std::string remove(char tag, const Row& before) {
  return Wire('D').u32(kAccountsOid).tag(tag).tuple(before).bytes();
}
inline std::string message(const std::string& content, bool transactional = true,
                           const std::string& prefix = "phoenix") {
  return Wire('M').u8(transactional ? 1 : 0).u64(77).text(prefix).u32(content.size()).raw(content).bytes();
}
inline std::string wal_data(std::uint64_t start, const std::string& payload) {
  return Wire('w').u64(start).u64(start).u64(kTime2026).raw(payload).bytes();
}
inline std::string keepalive(std::uint64_t wal_end, bool reply = false) {
  return Wire('k').u64(wal_end).u64(kTime2026).u8(reply ? 1 : 0).bytes();
}

}  // namespace phoenix::capture_test
