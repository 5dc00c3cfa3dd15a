#include "gateway/tunnel.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::size_t kWindow = 16 * 1024;

class Tunnel {
 public:
  Tunnel(asio::io_context& io, TunnelEnd& client, TunnelEnd& backend, std::chrono::milliseconds idle,
         const std::function<bool()>& may_go_on)
      : io_(io), client_(client), backend_(backend), idle_(idle), may_go_on_(may_go_on), both_over_(io.get_executor()) {
    both_over_.expires_at(SteadyTime::max());
  }

  Awaitable<TunnelBytes> run() {
    client_.deadline.limit(SteadyTime::max());
    backend_.deadline.limit(SteadyTime::max());
    moved();
    spawn(io_, back());
    co_await pass(client_, backend_, bytes_.from_client);
    while (!back_over_) co_await both_over_.async_wait(kAwait);
    client_.deadline.disarm();
    backend_.deadline.disarm();
    co_return bytes_;
  }

 private:
  Awaitable<void> back() {
    co_await pass(backend_, client_, bytes_.from_backend);
    back_over_ = true;
    both_over_.cancel();
  }

  // Silence is that of both directions together: one of them may well stay quiet for hours.
  void moved() {
    client_.deadline.arm(idle_);
    backend_.deadline.arm(idle_);
  }

  Awaitable<void> pass(TunnelEnd& from, TunnelEnd& to, std::uint64_t& count) {
    bool broken = false;
    if (!to.unsent.empty()) {
      count += to.unsent.size();
      const auto [error, written] = co_await asio::async_write(to.stream, asio::buffer(to.unsent), kAwait);
      broken = static_cast<bool>(error);
    }
    std::string window(kWindow, '\0');
    while (!broken) {
      const auto [ended, read] = co_await from.stream.async_read_some(asio::buffer(window), kAwait);
      if (ended) {
        broken = ended != asio::error::eof;
        break;
      }
      moved();
      broken = &to == &backend_ && !may_go_on_();
      if (broken) break;
      count += read;
      const auto [error, written] = co_await asio::async_write(to.stream, asio::buffer(window.data(), read), kAwait);
      moved();
      broken = static_cast<bool>(error);
    }
    if (ending_) co_return;  // by the other direction
    if (!broken && to.stream.tls() != nullptr) {
      co_await say_the_end(to);
    } else {
      end(to.stream, broken);
    }
  }

  // TLS ends in both directions at once, and is told: the peer knows then that nothing was cut off.
  Awaitable<void> say_the_end(TunnelEnd& to) {
    constexpr std::chrono::milliseconds kPatience{1'000};
    ending_ = true;
    to.stream.cancel();  // the other direction's read
    to.deadline.arm(kPatience);
    co_await to.stream.tls()->async_shutdown(kAwait);
    close_both();
  }

  // An orderly end of one direction leaves the other open; anything else ends both.
  void end(Stream& to, bool broken) {
    boost::system::error_code error;
    if (!broken && to.socket().is_open()) to.socket().shutdown(Socket::shutdown_send, error);
    if (broken || error) close_both();
  }

  void close_both() {
    client_.stream.close();
    backend_.stream.close();
  }

  asio::io_context& io_;
  TunnelEnd& client_;
  TunnelEnd& backend_;
  const std::chrono::milliseconds idle_;
  const std::function<bool()>& may_go_on_;
  Timer both_over_;
  bool back_over_ = false;
  bool ending_ = false;
  TunnelBytes bytes_;
};

}  // namespace

Awaitable<TunnelBytes> run_tunnel(asio::io_context& io, TunnelEnd& client, TunnelEnd& backend,
                                  std::chrono::milliseconds idle, const std::function<bool()>& may_go_on) {
  Tunnel tunnel(io, client, backend, idle, may_go_on);
  co_return co_await tunnel.run();
}

}  // namespace phoenix::gateway
