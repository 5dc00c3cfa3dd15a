// One connection to a backend's endpoint and what was read ahead from it.
#pragma once

#include <memory>
#include <string>

#include "gateway/asio.hpp"
#include "gateway/backend_state.hpp"
#include "gateway/deadline.hpp"
#include "gateway/stream.hpp"

namespace phoenix::gateway {

struct UpstreamConnection {
  UpstreamConnection(asio::io_context& io, DeadlineSweep& sweep, std::unique_ptr<Transport> played = nullptr)
      : stream(io, std::move(played)), deadline(sweep, stream) {}
  Stream stream;
  Deadline deadline;
  std::string buffer;  // bytes read, not yet consumed
  bool reused = false;
  std::size_t endpoint = 0;  // its place in the configuration
  SteadyTime idle_since;     // while it is in the pool
  Lease lease;               // while it is out of the pool
};
using ConnectionPtr = std::unique_ptr<UpstreamConnection>;

/// Reads what is there into the connection's buffer; the error is `eof` at the end of the stream, and over TLS only if
/// the peer has said that this is the end.
Awaitable<boost::system::error_code> fill(UpstreamConnection& connection);

}  // namespace phoenix::gateway
