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
  bool bodiless = false;  // the last answer had none by rule (HEAD, 204, 304): one that comes all the same is nobody's
  std::size_t endpoint = 0;  // its place in the configuration
  SteadyTime idle_since;     // while it is in the pool
  Lease lease;               // while it is out of the pool
};
using ConnectionPtr = std::unique_ptr<UpstreamConnection>;

}  // namespace phoenix::gateway
