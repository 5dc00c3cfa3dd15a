// A bank in memory that can be at fault, from one thread:
//   fault_backend [--dedupe 1]
//   GET /accounts/{account}   POST /accounts/{account}/deposits | withdrawals {"amount": N}
// Prints the port it listens on. Then one command a line on standard input, each answered by one line:
//   fault ok | hang | reset | flaky | garbage | refuse
//   fault slow MILLISECONDS
//   fault huge BYTES
//   dump
// `flaky` resets every second request of a connection. Hung, reset and garbled writes are applied every second time:
// nobody can tell from outside, as with a real bank. `refuse` is a process that died in front of a database that did
// not: connections break, none is accepted, the ledger stays. `dump` is what it holds, as JSON: accounts (balance,
// writes, hash of their order), ids of the exchanges that it applied by the leg they came with, ids applied twice,
// repeats that --dedupe left out, requests and connections.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tests/bench/epoll_socket.hpp"
#include "tests/bench/message_size.hpp"
#include "tests/faults/ledger.hpp"

namespace phoenix::faults {
namespace {

using bench::field_value;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPieceBytes = 256 * 1024;  // of a huge answer, for each send()

struct Connection {
  int fd;
  std::uint64_t number;
  std::string unread;
  std::uint64_t to_pump = 0;   // bytes of a huge answer that are still to be sent
  std::uint64_t requests = 0;  // that came on it
};

struct Fault {
  std::string kind = "ok";
  std::uint64_t amount = 0;  // milliseconds of `slow`, bytes of `huge`
};

std::string answer_of(std::string_view account, std::int64_t balance, bool write) {
  const std::string body =
      "{\"account\": \"" + std::string(account) + "\", \"balance\": " + std::to_string(balance) + "}";
  return std::string("HTTP/1.1 ") + (write ? "201 Created" : "200 OK") +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Bytes that are no answer: noise, a broken status line, and a head with two framings, in turn.
std::string garbage(std::uint64_t number) {
  if (number % 3 == 0) return "HTTP/1.1 2OO OK\r\nContent-Length: 2\r\n\r\n{}";
  if (number % 3 == 1)
    return "HTTP/1.1 201 Created\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
  std::string noise;
  for (std::uint64_t state = number + 1; noise.size() < 512;) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    noise.push_back(static_cast<char>(state >> 56));
  }
  return noise;
}

class Backend {
 public:
  explicit Backend(bool dedupe) : ledger_(dedupe), listening_(bench::listen_on(port_)), piece_(kPieceBytes, 'x') {
    epoll_.add(listening_, nullptr);
    epoll_.add(STDIN_FILENO, &commands_);
  }

  void run() {
    std::printf("%u\n", port_);
    std::fflush(stdout);
    while (!over_) {
      bool commanded = false;
      epoll_.wait(late_.empty() ? -1 : 1, [&](void* context) {
        if (context == &commands_) {
          commanded = true;  // afterwards: a command may close connections of this batch
        } else if (context == nullptr) {
          accept_all();
        } else {
          Connection& connection = *static_cast<Connection*>(context);
          connection.to_pump > 0 ? pump(connection) : read(connection);
        }
      });
      answer_late();
      if (commanded) read_commands();
    }
  }

 private:
  // --- commands ----------------------------------------------------------------------------------------------------

  void read_commands() {
    char bytes[4096];
    const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n <= 0) {
      over_ = true;  // whoever started this is gone
      return;
    }
    commands_.append(bytes, static_cast<std::size_t>(n));
    for (std::size_t end = 0; (end = commands_.find('\n')) != std::string::npos; commands_.erase(0, end + 1))
      obey(commands_.substr(0, end));
  }

  void obey(const std::string& command) {
    if (command == "dump") {
      ledger_.dump(requests_, accepted_);
    } else if (command.starts_with("fault ")) {
      const std::size_t space = command.find(' ', 6);
      fault_.kind = command.substr(6, space == std::string::npos ? space : space - 6);
      fault_.amount = space == std::string::npos ? 0 : std::stoull(command.substr(space + 1));
      fault_.kind == "refuse" ? refuse() : come_back();
      std::printf("%s\n", fault_.kind.c_str());
    } else {
      std::printf("unknown command\n");
    }
    std::fflush(stdout);
  }

  // The port stays bound, so that nobody else takes it, but nobody listens: connections are refused.
  void refuse() {
    if (refusing_) return;
    refusing_ = true;
    ::close(listening_);
    while (!open_.empty()) end(*open_.begin()->second, true);
    listening_ = bench::bind_to(port_);
  }

  void come_back() {
    if (!refusing_) return;
    refusing_ = false;
    if (::listen(listening_, 4096) != 0) bench::fail("listen");
    epoll_.add(listening_, nullptr);
  }

  // --- connections -------------------------------------------------------------------------------------------------

  void accept_all() {
    int fd = 0;
    while ((fd = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
      bench::without_delay(fd);
      auto connection = std::make_unique<Connection>(Connection{fd, ++accepted_, {}, 0, 0});
      epoll_.add(fd, connection.get());
      open_.emplace(connection->number, std::move(connection));
    }
  }

  void end(Connection& connection, bool reset) {
    if (reset) {
      const linger now{1, 0};
      ::setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    ::close(connection.fd);
    open_.erase(connection.number);
  }

  void read(Connection& connection) {
    char bytes[65536];
    const ssize_t n = ::recv(connection.fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return end(connection, false);
    std::string all = std::move(connection.unread);
    all.append(bytes, static_cast<std::size_t>(n));
    std::size_t used = 0;
    const std::uint64_t number = connection.number;
    while (const std::size_t size = bench::message_size(std::string_view(all).substr(used))) {
      take(connection, std::string_view(all).substr(used, size));
      if (!open_.contains(number)) return;
      used += size;
    }
    connection.unread = all.substr(used);
  }

  void take(Connection& connection, std::string_view request) {
    ++requests_;
    const bool write = request.starts_with("POST ");
    const std::size_t from = request.find("/accounts/") + 10;
    const std::string_view account = request.substr(from, request.find_first_of("/ ", from) - from);
    const bool reset = fault_.kind == "reset" || (fault_.kind == "flaky" && ++connection.requests % 2 == 0);
    const bool unsure = reset || fault_.kind == "hang" || fault_.kind == "garbage";
    if (unsure) ++unsure_;
    if (write && (!unsure || unsure_ % 2 == 0)) {
      const std::size_t amount = request.find("\"amount\":") + 9;
      const std::int64_t minor = std::strtoll(request.data() + amount, nullptr, 10);
      ledger_.apply(account, request.find("/deposits ") != std::string_view::npos ? minor : -minor,
                    field_value(request, "\r\nX-Phoenix-Exchange:"),
                    field_value(request, "\r\nX-Phoenix-Leg:") == "serving");
    }
    if (fault_.kind == "hang") return;
    if (reset) return end(connection, true);
    if (fault_.kind == "huge") return begin_huge(connection);
    const std::string answer =
        fault_.kind == "garbage" ? garbage(unsure_) : answer_of(account, ledger_.balance(account), write);
    if (fault_.kind == "slow") {
      late_.push_back({Clock::now() + std::chrono::milliseconds(fault_.amount), connection.number, answer});
    } else {
      ::send(connection.fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  void begin_huge(Connection& connection) {
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(fault_.amount) +
        "\r\n\r\n";
    ::send(connection.fd, head.data(), head.size(), MSG_NOSIGNAL);
    connection.to_pump = fault_.amount;
    epoll_.watch_writable(connection.fd, &connection, true);
  }

  // One piece for each report, so that the other connections have their turn.
  void pump(Connection& connection) {
    const std::size_t size = std::min<std::uint64_t>(connection.to_pump, piece_.size());
    const ssize_t n = ::send(connection.fd, piece_.data(), size, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      char byte = 0;  // reported because the peer has ended, or resets?
      if (::recv(connection.fd, &byte, 1, MSG_PEEK) == 0) end(connection, true);
      return;
    }
    if (n < 0) return end(connection, false);
    connection.to_pump -= static_cast<std::uint64_t>(n);
    if (connection.to_pump == 0) epoll_.watch_writable(connection.fd, &connection, false);
  }

  void answer_late() {
    while (!late_.empty() && late_.front().at <= Clock::now()) {
      if (const auto found = open_.find(late_.front().connection); found != open_.end())
        ::send(found->second->fd, late_.front().answer.data(), late_.front().answer.size(), MSG_NOSIGNAL);
      late_.pop_front();
    }
  }

  struct Late {
    Clock::time_point at;
    std::uint64_t connection;
    std::string answer;
  };
  Ledger ledger_;
  std::uint16_t port_ = 0;
  int listening_;
  const std::string piece_;
  bench::Epoll epoll_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> open_;
  std::deque<Late> late_;
  std::string commands_;
  Fault fault_;
  bool refusing_ = false, over_ = false;
  std::uint64_t accepted_ = 0, requests_ = 0, unsure_ = 0;
};

}  // namespace
}  // namespace phoenix::faults

int main(int argc, char** argv) {
  const bool dedupe = argc == 3 && argv[1] == std::string_view("--dedupe") && argv[2] == std::string_view("1");
  try {
    phoenix::faults::Backend(dedupe).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fault_backend: %s\n", error.what());
    return 1;
  }
}
