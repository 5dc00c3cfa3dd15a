// The Asio vocabulary of the gateway. The executor is the concrete one of io_context: the type-erased default costs an
// indirect call and an allocation at every suspension.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <chrono>

#include "gateway/task.hpp"

namespace phoenix::gateway {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
using Tcp = asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
template <class T>
using Awaitable = Task<T>;
/// Expected outcomes come back as (error_code, value), never as an exception.
inline constexpr AwaitToken kAwait{};

using SteadyTime = std::chrono::steady_clock::time_point;

}  // namespace phoenix::gateway
