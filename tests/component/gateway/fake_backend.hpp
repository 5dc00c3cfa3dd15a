// A backend that the test scripts: it records what reaches it, byte by byte, and answers as it is told.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace phoenix::test {

struct SeenRequest {
  std::string method, target, head, body;
  int order = 0;       // among all requests to all backends
  int connection = 0;  // of this backend, from 1
  /// All values of a field in order, joined by '|'.
  [[nodiscard]] std::string header(std::string_view name) const;
  [[nodiscard]] std::string leg() const { return header("X-Phoenix-Leg"); }
};

struct Reply {
  std::string bytes;                // written as they are
  bool close = false;               // afterwards
  bool reset = false;               // instead of a close: RST
  std::vector<std::string> pieces;  // each after one more release()
  static Reply ok(const std::string& body, const std::string& fields = "");
  static Reply status(int status, const std::string& body = "{}");
};

class FakeBackend {
 public:
  using Script = std::function<Reply(const SeenRequest&)>;
  FakeBackend();
  ~FakeBackend();
  FakeBackend(const FakeBackend&) = delete;
  FakeBackend& operator=(const FakeBackend&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// How to answer from now on; the default answers 200 and {}.
  void script(Script script);
  /// From now on requests wait before they are answered, until release(); what is seen is recorded at once.
  void hold();
  void release();
  /// Connections are refused, and those that are open are closed, until back().
  void refuse();
  void back();

  [[nodiscard]] std::vector<SeenRequest> seen() const;
  [[nodiscard]] std::vector<std::string> targets() const;
  [[nodiscard]] std::size_t count() const;
  /// Waits until `count` requests have been seen in all.
  bool wait_for(std::size_t count) const;
  [[nodiscard]] std::size_t open_connections() const;
  /// Bytes that came on any connection, whether or not they made a request.
  [[nodiscard]] std::size_t bytes_received() const { return bytes_; }
  /// One piece of a Reply with pieces may go out.
  void release_piece();
  [[nodiscard]] static int now_order() { return orders_; }

 private:
  void listen();
  void stop_listening();
  void accept_all(int fd);
  void serve(int fd, int number);
  bool read_request(int fd, std::string& buffer, SeenRequest& out);
  bool write_reply(int fd, const Reply& reply);

  static std::atomic<int> orders_;
  std::uint16_t port_ = 0;
  int listening_ = -1;
  std::thread acceptor_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Script script_;
  bool held_ = false;
  bool stopping_ = false;
  int pieces_ = 0;
  int connections_ = 0;
  std::set<int> open_;
  std::vector<std::thread> servers_;
  std::vector<SeenRequest> seen_;
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace phoenix::test
