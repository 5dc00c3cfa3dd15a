// Connects to one endpoint: resolves its name, tries its addresses in turn, and speaks TLS where configured.
// Everything here runs on one event loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/config.hpp"
#include "gateway/upstream_connection.hpp"

namespace phoenix::gateway {

/// The addresses of one endpoint. A name is resolved again once the addresses are older than `keep`; meanwhile, and
/// when that fails, the earlier ones stay in use.
class AddressCache {
 public:
  using Address = asio::generic::stream_protocol::endpoint;
  /// What a name stands for now; empty when that cannot be found out.
  using Lookup = std::function<Awaitable<std::vector<Address>>(std::string host, std::uint16_t port)>;
  static Awaitable<std::vector<Address>> ask_system(std::string host, std::uint16_t port);
  AddressCache(asio::io_context& io, const config::BackendEndpoint& endpoint, std::chrono::milliseconds keep,
               Lookup lookup = &ask_system);

  /// In the order to try them; empty when nothing is known after `patience`.
  Awaitable<std::vector<Address>> get(std::chrono::milliseconds patience);

 private:
  struct State {
    explicit State(asio::io_context& io) : resolved(io.get_executor()) {}
    std::vector<Address> addresses;
    SteadyTime fresh_until;  // of a name; an address never grows old
    bool is_name = false;
    bool resolving = false;
    Timer resolved;  // cancelled when a resolution ends
  };
  static Awaitable<void> resolve(std::shared_ptr<State> state, config::Endpoint name, std::chrono::milliseconds keep,
                                 Lookup lookup);
  asio::io_context& io_;
  const config::Endpoint name_;
  const std::chrono::milliseconds keep_;
  const Lookup lookup_;
  const std::shared_ptr<State> state_;  // a resolution may still run when the cache is gone
};

struct Dialled {
  ConnectionPtr connection;  // null: it failed
  std::string why;           // it failed
};

class Dialer {
 public:
  /// `tls`: of the backend; used if the endpoint asks for it.
  Dialer(asio::io_context& io, DeadlineSweep& sweep, const config::BackendEndpoint& endpoint,
         const config::BackendConfig& backend, std::shared_ptr<TlsContext> tls);

  /// `patience` is for each address, with its TLS handshake. The dialer must outlive the call.
  Awaitable<Dialled> dial(std::chrono::milliseconds patience);
  /// For tests: from here on connections come from `connect` instead of the network; null is a connect that failed.
  void play(std::function<std::unique_ptr<Transport>()> connect) { played_ = std::move(connect); }

 private:
  Awaitable<boost::system::error_code> connect(UpstreamConnection& connection, const AddressCache::Address& address);
  asio::io_context& io_;
  DeadlineSweep& sweep_;
  AddressCache addresses_;
  const std::shared_ptr<TlsContext> tls_;  // null: without
  const std::string server_name_;
  std::function<std::unique_ptr<Transport>()> played_;
};

}  // namespace phoenix::gateway
