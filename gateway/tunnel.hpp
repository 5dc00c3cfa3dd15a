// After a 101 the connection is the two ends' own (RFC 9110, 7.8): bytes go both ways as they come, unread and not
// recorded.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "gateway/asio.hpp"
#include "gateway/deadline.hpp"

namespace phoenix::gateway {

struct TunnelEnd {
  Stream& stream;
  Deadline& deadline;
  std::string unsent;  // bytes of the other end that are already here
};

struct TunnelBytes {
  std::uint64_t from_client = 0;
  std::uint64_t from_backend = 0;
};

/// Until both ends have finished, one breaks, or neither says anything for `idle`. Both streams are of `io`'s loop.
/// `may_go_on` is asked before anything is passed to the backend; false ends the tunnel without that.
Awaitable<TunnelBytes> run_tunnel(asio::io_context& io, TunnelEnd& client, TunnelEnd& backend,
                                  std::chrono::milliseconds idle, const std::function<bool()>& may_go_on);

}  // namespace phoenix::gateway
