// What a client's connection begins with before HTTP: the PROXY protocol's header and the TLS handshake, where they are
// configured.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string_view>

#include "gateway/event_loop.hpp"

namespace phoenix::gateway {

struct Preamble {
  std::string_view problem;                 // empty: HTTP may begin. Else what is counted: proxy_header, tls_handshake
  std::optional<asio::ip::address> client;  // as the PROXY protocol tells it
};

/// Both within timeouts.request_head. `settings` must outlive the call; it is what a later reload does not change.
Awaitable<Preamble> read_preamble(Stream& stream, EventLoop& loop, const Settings& settings);

}  // namespace phoenix::gateway
