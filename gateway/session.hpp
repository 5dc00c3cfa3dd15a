// One client connection, from accept to close. session.cpp is the page to read first: read, match, choose, forward,
// respond, record.
#pragma once

#include "gateway/asio.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/head_writer.hpp"

namespace phoenix::gateway {

/// Serves requests on `stream` until either side closes; counted as a connection and an open session from the call on.
/// Called and run on `loop`, which must outlive it.
Awaitable<void> run_session(StreamPtr stream, ClientPeer peer, EventLoop& loop);

}  // namespace phoenix::gateway
