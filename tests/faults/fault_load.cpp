// The clients of the fault matrix, from one thread, as an open loop:
//   fault_load --port P [--seconds S] [--rate PER_SECOND] [--connections N] [--first-account A] [--accounts N]
//              [--seed N] [--pad BYTES]
// Half the requests read an account, the others deposit or withdraw. They are due at fixed times, and latency counts
// from when a request was due, so that a proxy that stalls is charged for all that waited (coordinated omission). A
// connection that breaks is made again; nothing is sent twice. Prints one line for each request, at the end:
//   DUE_US LATENCY_US r|w ACCOUNT STATUS EXCHANGE|- OUTCOME
// DUE_US is on the monotonic clock; OUTCOME is answered, reset (sent, and the connection ended), refused (could not
// connect: never sent) or unanswered (no answer within kPatience after the last request was due).
#include <sys/timerfd.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/epoll_socket.hpp"
#include "tests/bench/message_size.hpp"

namespace phoenix::faults {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
constexpr std::chrono::seconds kPatience{20};

struct Options {
  std::uint16_t port = 0;
  double seconds = 5;
  double rate = 1000;
  std::size_t connections = 64;
  std::uint64_t first_account = 0, accounts = 2000, seed = 1;
  std::size_t pad_bytes = 0;  // of a write's body, beside the amount
};

struct Request {
  Clock::time_point due;
  std::uint64_t account = 0;
  bool write = false;
};

struct Record {
  Request request;
  microseconds latency;
  int status;
  std::string exchange;
  const char* outcome;
};

struct Connection {
  int fd = -1;
  bool busy = false;
  Request request;
  std::string unread;
};

std::int64_t to_us(Clock::duration time) {
  return std::chrono::duration_cast<microseconds>(time).count();
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        period_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / options.rate))),
        connections_(options.connections),
        random_(options.seed) {
    if (options.pad_bytes > 0) pad_ = ", \"note\": \"" + std::string(options.pad_bytes, 'x') + "\"";
    records_.reserve(static_cast<std::size_t>(options.seconds * options.rate) + 1);
  }

  void run() {
    for (auto& connection : connections_) open(connection);
    start_timer();
    started_ = Clock::now();
    const auto until =
        started_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.seconds));
    for (auto now = started_; now < until || (in_flight_ + waiting_.size() > 0 && now < until + kPatience);
         now = Clock::now()) {
      if (now < until) add_what_is_due(now);
      send_waiting();
      epoll_.wait(10, [this](void* context) {
        context == nullptr ? stop_ringing() : read(*static_cast<Connection*>(context));
      });
    }
    give_up();
    print();
  }

 private:
  // Wakes the loop when a request is due, which epoll's milliseconds could not.
  void start_timer() {
    timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer_ < 0) bench::fail("timerfd_create");
    itimerspec every{};
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(period_).count();
    every.it_interval = {ns / 1'000'000'000, ns % 1'000'000'000};
    every.it_value = every.it_interval;
    if (::timerfd_settime(timer_, 0, &every, nullptr) != 0) bench::fail("timerfd_settime");
    epoll_.add(timer_, nullptr);
  }

  void stop_ringing() const {
    std::uint64_t times = 0;
    [[maybe_unused]] const ssize_t n = ::read(timer_, &times, sizeof times);
  }

  bool open(Connection& connection) {
    try {
      connection.fd = bench::connect_to(options_.port);
    } catch (const std::system_error&) {
      return false;
    }
    connection.unread.clear();
    epoll_.add(connection.fd, &connection);
    return true;
  }

  void add_what_is_due(Clock::time_point now) {
    for (; started_ + period_ * due_count_ <= now; ++due_count_) {
      const std::uint64_t account = options_.first_account + random_() % options_.accounts;
      waiting_.push_back({started_ + period_ * due_count_, account, random_() % 2 == 0});
    }
  }

  void send_waiting() {
    for (std::size_t i = 0; i < connections_.size() && !waiting_.empty(); ++i) {
      Connection& connection = connections_[next_ = (next_ + 1) % connections_.size()];
      if (connection.busy) continue;
      const Request request = waiting_.front();
      waiting_.pop_front();
      if (connection.fd < 0 && !open(connection)) {
        record(request, 0, {}, "refused");
        continue;
      }
      send(connection, request);
    }
  }

  void send(Connection& connection, const Request& request) {
    const std::string target = "/accounts/" + std::to_string(request.account);
    std::string bytes;
    if (request.write) {
      const std::string body = "{\"amount\": " + std::to_string(1 + random_() % 100) + pad_ + "}";
      bytes = "POST " + target + (random_() % 2 == 0 ? "/deposits" : "/withdrawals") +
              " HTTP/1.1\r\nHost: bank.test\r\nContent-Type: application/json\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body;
    } else {
      bytes = "GET " + target + " HTTP/1.1\r\nHost: bank.test\r\n\r\n";
    }
    connection.busy = true;
    connection.request = request;
    ++in_flight_;
    // A connection that breaks is noticed when it is read.
    [[maybe_unused]] const ssize_t n = ::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  void read(Connection& connection) {
    char bytes[65536];
    const ssize_t n = ::recv(connection.fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return broke(connection);
    connection.unread.append(bytes, static_cast<std::size_t>(n));
    const std::size_t size = bench::message_size(connection.unread);
    if (size == 0) return;
    const std::string_view answer(connection.unread);
    const std::string_view exchange = bench::field_value(answer, "\r\nX-Phoenix-Exchange:");
    done(connection, std::atoi(connection.unread.c_str() + 9), std::string(exchange), "answered");
    connection.unread.clear();
  }

  void broke(Connection& connection) {
    ::close(connection.fd);
    connection.fd = -1;
    if (connection.busy) done(connection, 0, {}, "reset");
  }

  void done(Connection& connection, int status, std::string exchange, const char* outcome) {
    connection.busy = false;
    --in_flight_;
    record(connection.request, status, std::move(exchange), outcome);
  }

  void record(const Request& request, int status, std::string exchange, const char* outcome) {
    const auto latency = std::chrono::duration_cast<microseconds>(Clock::now() - request.due);
    records_.push_back({request, latency, status, exchange.empty() ? "-" : std::move(exchange), outcome});
  }

  void give_up() {
    for (auto& connection : connections_) {
      if (connection.busy) done(connection, 0, {}, "unanswered");
    }
    for (const auto& request : waiting_) record(request, 0, {}, "unanswered");
  }

  void print() const {
    for (const auto& one : records_) {
      std::printf("%ld %ld %c %lu %d %s %s\n", to_us(one.request.due.time_since_epoch()), one.latency.count(),
                  one.request.write ? 'w' : 'r', one.request.account, one.status, one.exchange.c_str(), one.outcome);
    }
  }

  const Options options_;
  const Clock::duration period_;
  bench::Epoll epoll_;
  std::vector<Connection> connections_;
  std::size_t next_ = 0, in_flight_ = 0;
  std::deque<Request> waiting_;
  std::int64_t due_count_ = 0;
  std::mt19937_64 random_;
  std::string pad_;
  std::vector<Record> records_;
  int timer_ = -1;
  Clock::time_point started_;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--port") options.port = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--seconds") options.seconds = std::atof(value);
    if (name == "--rate") options.rate = std::atof(value);
    if (name == "--connections") options.connections = std::strtoull(value, nullptr, 10);
    if (name == "--first-account") options.first_account = std::strtoull(value, nullptr, 10);
    if (name == "--accounts") options.accounts = std::strtoull(value, nullptr, 10);
    if (name == "--pad") options.pad_bytes = std::strtoull(value, nullptr, 10);
    if (name == "--seed") options.seed = std::strtoull(value, nullptr, 10);
  }
  return options;
}

}  // namespace
}  // namespace phoenix::faults

int main(int argc, char** argv) {
  try {
    phoenix::faults::Load(phoenix::faults::parse(argc, argv)).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fault_load: %s\n", error.what());
    return 1;
  }
}
