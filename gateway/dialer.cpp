#include "gateway/dialer.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "gateway/backend_tls.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::chrono::milliseconds kPauseAfterFailure{1000};

}  // namespace

AddressCache::AddressCache(asio::io_context& io, const config::BackendEndpoint& endpoint,
                           std::chrono::milliseconds keep, Lookup lookup)
    : io_(io), name_(endpoint.address), keep_(keep), lookup_(std::move(lookup)), state_(std::make_shared<State>(io)) {
  boost::system::error_code no_address;
  if (!endpoint.unix_path.empty()) {
    state_->addresses.emplace_back(asio::local::stream_protocol::endpoint(endpoint.unix_path));
  } else if (const auto address = asio::ip::make_address(name_.host, no_address); !no_address) {
    state_->addresses.emplace_back(Tcp::endpoint(address, name_.port));
  } else {
    state_->is_name = true;
  }
}

Awaitable<std::vector<AddressCache::Address>> AddressCache::get(std::chrono::milliseconds patience) {
  const std::shared_ptr<State> state = state_;
  if (state->is_name && !state->resolving && std::chrono::steady_clock::now() >= state->fresh_until) {
    state->resolving = true;
    spawn(io_, resolve(state, name_, keep_, lookup_));
  }
  if (state->addresses.empty() && state->resolving) {
    // Several may wait: the first sets the time, which is the same for all but for what they came later.
    if (state->resolved.expiry() <= std::chrono::steady_clock::now()) state->resolved.expires_after(patience);
    co_await state->resolved.async_wait(kAwait);
  }
  co_return state->addresses;
}

Awaitable<void> AddressCache::resolve(std::shared_ptr<State> state, config::Endpoint name,
                                      std::chrono::milliseconds keep, Lookup lookup) {
  std::vector<Address> found = co_await lookup(name.host, name.port);
  state->resolving = false;
  // After a failure not at every connect: what is known stays in use meanwhile.
  state->fresh_until = std::chrono::steady_clock::now() + (found.empty() ? std::min(keep, kPauseAfterFailure) : keep);
  if (!found.empty()) state->addresses = std::move(found);
  state->resolved.cancel();
}

Awaitable<std::vector<AddressCache::Address>> AddressCache::ask_system(std::string host, std::uint16_t port) {
  asio::ip::basic_resolver<Tcp, Executor> resolver((co_await this_loop()).get_executor());
  const auto [failed, results] = co_await resolver.async_resolve(host, std::to_string(port), kAwait);
  std::vector<Address> found;
  if (!failed) {
    for (const auto& result : results) found.emplace_back(result.endpoint());
  }
  co_return found;
}

Dialer::Dialer(asio::io_context& io, DeadlineSweep& sweep, const config::BackendEndpoint& endpoint,
               const config::BackendConfig& backend, std::shared_ptr<TlsContext> tls)
    : io_(io),
      sweep_(sweep),
      addresses_(io, endpoint, backend.resolve),
      tls_(endpoint.tls ? std::move(tls) : nullptr),
      server_name_(backend.tls.server_name.empty() ? endpoint.address.host : backend.tls.server_name) {}

Awaitable<Dialled> Dialer::dial(std::chrono::milliseconds patience) {
  Dialled out;
  if (played_) {
    auto transport = played_();
    if (transport)
      out.connection = std::make_unique<UpstreamConnection>(io_, sweep_, std::move(transport));
    else
      out.why = "the test refuses it";
    co_return out;
  }
  const std::vector<AddressCache::Address> addresses = co_await addresses_.get(patience);
  if (addresses.empty()) out.why = "its name cannot be resolved";
  for (const auto& address : addresses) {
    auto connection = std::make_unique<UpstreamConnection>(io_, sweep_);
    connection->deadline.arm(patience);
    const boost::system::error_code error = co_await connect(*connection, address);
    const bool late = connection->deadline.expired();
    connection->deadline.disarm();
    if (!error) {
      out.connection = std::move(connection);
      break;
    }
    out.why = late ? "timeouts.connect has passed" : error.message();
  }
  co_return out;
}

Awaitable<boost::system::error_code> Dialer::connect(UpstreamConnection& connection,
                                                     const AddressCache::Address& address) {
  Socket& socket = connection.stream.socket();
  auto [error] = co_await socket.async_connect(address, kAwait);
  if (error) co_return error;
  boost::system::error_code ignored;  // a Unix socket has no such option
  socket.set_option(Tcp::no_delay(true), ignored);
  if (!tls_) co_return error;
  socket.non_blocking(true, ignored);  // for Stream::is_quiet()
  auto& tls = connection.stream.start_tls(tls_);
  if (!expect_server(tls.native_handle(), server_name_))
    co_return make_error_code(boost::system::errc::not_enough_memory);
  const auto [refused] = co_await tls.async_handshake(asio::ssl::stream_base::client, kAwait);
  co_return refused;
}

}  // namespace phoenix::gateway
