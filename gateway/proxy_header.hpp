// The PROXY protocol, versions 1 and 2: what a load balancer puts before a connection's own bytes to tell who the
// client is (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt). Pure.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string_view>

namespace phoenix::gateway {

struct ProxyHeader {
  enum class State { incomplete, complete, malformed } state = State::incomplete;
  std::size_t length = 0;  // of a complete header; of an incomplete one: how many bytes it has at least
  /// Empty for a connection of the balancer's own (LOCAL, UNKNOWN) and for addresses that are no IP.
  std::optional<boost::asio::ip::address> client;
};

inline constexpr std::size_t kLongestProxyHeader = 16 + 4096;  // of version 2, with its extensions

ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace phoenix::gateway
