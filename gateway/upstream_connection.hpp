// One connection to a backend's endpoint and what was read ahead from it.
#pragma once

#include <memory>

#include "gateway/asio.hpp"
#include "gateway/backend_state.hpp"
#include "gateway/deadline.hpp"
#include "gateway/stream.hpp"

namespace phoenix::gateway {

struct UpstreamConnection {
  UpstreamConnection(asio::io_context& io, DeadlineSweep& sweep, std::unique_ptr<Transport> played = nullptr)
      : stream(io, std::move(played)), deadline(sweep, stream) {}
  InputBuffer buffer;
  Stream stream;
  Deadline deadline;
  bool reused = false;
  std::size_t endpoint = 0;  // its place in the configuration
  SteadyTime idle_since;     // while it is in the pool
  Lease lease;               // while it is out of the pool
};
using ConnectionPtr = std::unique_ptr<UpstreamConnection>;

}  // namespace phoenix::gateway
