// The load of the benchmark, from one thread:
//   bench_load --port P [--connections N] [--seconds S] [--method GET|POST] [--body BYTES] [--rate PER_SECOND]
// Without --rate a closed loop: each connection sends its next request when it has its answer. With --rate an open
// loop: requests are due at fixed times, and latency counts from when a request was due, so that a proxy that stalls is
// charged for all that waited (coordinated omission). Prints one line of JSON; latencies in microseconds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/epoll_socket.hpp"
#include "tests/bench/message_size.hpp"

namespace phoenix::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 0;
  std::size_t connections = 64;
  double seconds = 5;
  double rate = 0;
  std::string method = "GET";
  std::size_t body_bytes = 300;
};

struct Connection {
  int fd = -1;
  bool busy = false;
  Clock::time_point due;
  std::string unread;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), connections_(options_.connections) {
    request_ = options_.method + " /accounts/17 HTTP/1.1\r\nHost: bank.test\r\nUser-Agent: bench\r\nAccept: */*\r\n";
    if (options_.method == "POST") {
      request_ +=
          "Content-Type: application/json\r\nContent-Length: " + std::to_string(options_.body_bytes) + "\r\n\r\n";
      request_ += std::string(options_.body_bytes, 'x');
    } else {
      request_ += "\r\n";
    }
    for (auto& connection : connections_) open(connection);
  }

  void run() {
    started_ = Clock::now();
    const auto until =
        started_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.seconds));
    if (options_.rate <= 0) {
      for (auto& connection : connections_) send(connection, Clock::now());
    }
    while (Clock::now() < until || in_flight_ > 0) {
      const bool over = Clock::now() >= until;
      if (over && Clock::now() > until + std::chrono::seconds(5)) break;
      if (options_.rate > 0 && !over) send_what_is_due();
      epoll_.wait(options_.rate > 0 && !over ? 0 : 10, [&](void* context) {
        read(*static_cast<Connection*>(context), options_.rate <= 0 && Clock::now() < until);
      });
    }
    report();
  }

 private:
  void open(Connection& connection) {
    connection.fd = connect_to(options_.port);
    connection.unread.clear();
    connection.busy = false;
    epoll_.add(connection.fd, &connection);
  }

  void send(Connection& connection, Clock::time_point due) {
    connection.busy = true;
    connection.due = due;
    ++in_flight_;
    if (::send(connection.fd, request_.data(), request_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request_.size()))
      broke(connection);
  }

  void send_what_is_due() {
    const auto period = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / options_.rate));
    for (auto now = Clock::now(); started_ + period * due_count_ <= now; ++due_count_)
      waiting_.push_back(started_ + period * due_count_);
    for (std::size_t i = 0; i < connections_.size() && !waiting_.empty(); ++i) {
      Connection& connection = connections_[next_ = (next_ + 1) % connections_.size()];
      if (connection.busy) continue;
      send(connection, waiting_.front());
      waiting_.pop_front();
    }
  }

  void broke(Connection& connection) {
    ++errors_;
    if (connection.busy) --in_flight_;
    ::close(connection.fd);
    open(connection);
  }

  void read(Connection& connection, bool again) {
    char bytes[65536];
    const ssize_t n = ::recv(connection.fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return broke(connection);
    std::string_view all(bytes, static_cast<std::size_t>(n));
    if (!connection.unread.empty()) all = connection.unread.append(all);
    const std::size_t size = message_size(all);
    if (size == 0) {
      if (connection.unread.empty()) connection.unread = all;
      return;
    }
    const bool good = all.starts_with("HTTP/1.1 200 ");
    connection.unread.clear();
    connection.busy = false;
    --in_flight_;
    good ? ++good_ : ++errors_;
    const auto now = Clock::now();
    if (good)
      latencies_us_.push_back(static_cast<std::uint32_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(now - connection.due).count()));
    if (again) send(connection, now);
  }

  [[nodiscard]] std::uint32_t quantile(double share) const {
    if (latencies_us_.empty()) return 0;
    return latencies_us_[std::min(latencies_us_.size() - 1,
                                  static_cast<std::size_t>(share * static_cast<double>(latencies_us_.size())))];
  }

  void report() {
    const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
    std::sort(latencies_us_.begin(), latencies_us_.end());
    std::printf(
        "{\"requests\": %lu, \"errors\": %lu, \"unanswered\": %zu, \"seconds\": %.3f, \"p50_us\": %u, \"p90_us\": %u, "
        "\"p99_us\": %u, \"max_us\": %u}\n",
        good_, errors_, in_flight_ + waiting_.size(), seconds, quantile(.5), quantile(.9), quantile(.99), quantile(1));
  }

  const Options options_;
  std::string request_;
  Epoll epoll_;
  std::vector<Connection> connections_;
  std::size_t next_ = 0;
  std::deque<Clock::time_point> waiting_;
  std::int64_t due_count_ = 0;
  std::size_t in_flight_ = 0;
  std::uint64_t good_ = 0, errors_ = 0;
  std::vector<std::uint32_t> latencies_us_;
  Clock::time_point started_;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--port") options.port = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--connections") options.connections = std::strtoull(value, nullptr, 10);
    if (name == "--seconds") options.seconds = std::atof(value);
    if (name == "--rate") options.rate = std::atof(value);
    if (name == "--method") options.method = value;
    if (name == "--body") options.body_bytes = std::strtoull(value, nullptr, 10);
  }
  return options;
}

}  // namespace
}  // namespace phoenix::bench

int main(int argc, char** argv) {
  try {
    phoenix::bench::Load(phoenix::bench::parse(argc, argv)).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 1;
  }
}
