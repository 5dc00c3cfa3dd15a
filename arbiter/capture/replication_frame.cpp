#include "arbiter/capture/replication_frame.hpp"

#include <fmt/format.h>

#include "arbiter/capture/byte_reader.hpp"

namespace phoenix::capture {
namespace {

void append(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
}

}  // namespace

Result<Frame> decode_frame(std::string_view bytes) {
  ByteReader reader(bytes);
  const char kind = static_cast<char>(reader.u8());
  if (kind == 'w') {
    WalData data;
    data.start = reader.u64();
    reader.u64();  // end of the log as this sender knows it: for logical replication the same as the start
    reader.u64();  // time of sending
    if (!reader.ok()) return invalid_input("replication: a data frame is cut short");
    data.payload = reader.rest();
    return Frame(data);
  }
  if (kind == 'k') {
    Keepalive keepalive;
    keepalive.wal_end = reader.u64();
    reader.u64();  // time of sending
    keepalive.reply_requested = reader.u8() != 0;
    if (!reader.ok() || !reader.rest().empty()) return invalid_input("replication: a keep-alive has the wrong length");
    return Frame(keepalive);
  }
  if (bytes.empty()) return invalid_input("replication: an empty frame");
  return invalid_input(fmt::format("replication: frame of unknown kind 0x{:02x}", static_cast<std::uint8_t>(kind)));
}

std::string encode_status(Lsn received, Lsn flushed, std::int64_t now_us) {
  std::string out = "r";
  append(out, received);
  append(out, flushed);
  append(out, flushed);  // applied
  append(out, static_cast<std::uint64_t>(now_us - kPostgresEpochUs));
  out += '\0';  // no reply wanted
  return out;
}

}  // namespace phoenix::capture
