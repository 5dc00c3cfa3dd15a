// What travels inside the COPY of a replication connection: frames of the server, and the status that answers them.
// Format: PostgreSQL documentation, "Streaming Replication Protocol". Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "arbiter/capture/lsn.hpp"
#include "core/model/result.hpp"

namespace phoenix::capture {

/// One message of the output plugin.
struct WalData {
  Lsn start = 0;  ///< of the change
  std::string_view payload;
};

/// All that was committed before `wal_end` has been sent.
struct Keepalive {
  Lsn wal_end = 0;
  bool reply_requested = false;
};

using Frame = std::variant<WalData, Keepalive>;

/// `payload` points into `bytes`. invalid_input for anything that is no frame.
Result<Frame> decode_frame(std::string_view bytes);

/// Standby status update. What stands before `flushed` may be forgotten by the server. Times are Unix microseconds.
std::string encode_status(Lsn received, Lsn flushed, std::int64_t now_us);

}  // namespace phoenix::capture
