// The backend of the benchmark: answers every request with the same bytes, from one thread.
//   bench_backend [--body BYTES] [--behaviour ok|hang|reset|slow] [--delay MS]
// Prints the port it listens on. SIGUSR1 prints how many connections and requests there were.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "tests/bench/epoll_socket.hpp"
#include "tests/bench/message_size.hpp"

namespace phoenix::bench {
namespace {

std::uint64_t now_ms() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

struct Options {
  std::size_t body_bytes = 200;
  std::string behaviour = "ok";
  std::uint64_t delay_ms = 1000;
};

volatile std::sig_atomic_t report_wanted = 0;

struct Connection {
  int fd;
  std::uint64_t number;
  std::string unread;
};

class Backend {
 public:
  explicit Backend(Options options) : options_(std::move(options)), listening_(listen_on(port_)) {
    answer_ =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(options_.body_bytes) +
        "\r\n\r\n" + std::string(options_.body_bytes, 'x');
    epoll_.add(listening_, nullptr);
  }

  [[noreturn]] void run() {
    std::printf("%u\n", port_);
    std::fflush(stdout);
    while (true) {
      epoll_.wait(late_.empty() ? -1 : 1, [this](void* context) {
        context == nullptr ? accept_all() : read(*static_cast<Connection*>(context));
      });
      answer_late();
      if (std::exchange(report_wanted, 0) != 0) {
        std::printf("%lu %lu\n", accepted_, requests_);
        std::fflush(stdout);
      }
    }
  }

 private:
  void accept_all() {
    int fd = 0;
    while ((fd = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
      without_delay(fd);
      auto* connection = new Connection{fd, ++accepted_, {}};
      open_.emplace(connection->number, connection);
      epoll_.add(fd, connection);
    }
  }

  void end(Connection& connection) {
    if (options_.behaviour == "reset") {
      const linger now{1, 0};
      ::setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    ::close(connection.fd);
    open_.erase(connection.number);
    delete &connection;
  }

  void read(Connection& connection) {
    char bytes[65536];
    const ssize_t n = ::recv(connection.fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(connection);
    std::string_view all(bytes, static_cast<std::size_t>(n));
    if (!connection.unread.empty()) all = connection.unread.append(all);
    std::size_t used = 0;
    while (const std::size_t size = message_size(all.substr(used))) {
      used += size;
      ++requests_;
      if (options_.behaviour == "reset") return end(connection);
      if (options_.behaviour == "slow") late_.push_back({now_ms() + options_.delay_ms, connection.number});
      if (options_.behaviour == "ok") ::send(connection.fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
    connection.unread = std::string(all.substr(used));
  }

  void answer_late() {
    while (!late_.empty() && late_.front().at_ms <= now_ms()) {
      if (const auto found = open_.find(late_.front().connection); found != open_.end())
        ::send(found->second->fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      late_.pop_front();
    }
  }

  struct Late {
    std::uint64_t at_ms, connection;
  };
  const Options options_;
  std::uint16_t port_ = 0;
  int listening_;
  std::string answer_;
  Epoll epoll_;
  std::unordered_map<std::uint64_t, Connection*> open_;
  std::deque<Late> late_;
  std::uint64_t accepted_ = 0, requests_ = 0;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--body") options.body_bytes = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--behaviour") options.behaviour = argv[i + 1];
    if (name == "--delay") options.delay_ms = std::strtoull(argv[i + 1], nullptr, 10);
  }
  return options;
}

}  // namespace
}  // namespace phoenix::bench

int main(int argc, char** argv) {
  std::signal(SIGUSR1, [](int) { phoenix::bench::report_wanted = 1; });
  phoenix::bench::Backend(phoenix::bench::parse(argc, argv)).run();
}
