// A backend that the test scripts: it records what reaches it, byte by byte, and answers as it is told.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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

/// What a backend shows and asks for over TLS. PEM files.
struct FakeTls {
  std::string certificate, key;
  std::string client_ca;     // clients must show a certificate of this authority; empty: none is asked for
  bool close_notify = true;  // false: connections just end, as if cut
  bool late_ticket = false;  // after every answer and release_piece() a session ticket follows (TLS 1.3)
};

class FakeBackend {
 public:
  using Script = std::function<Reply(const SeenRequest&)>;
  FakeBackend() : FakeBackend("127.0.0.1") {}
  /// `address`: 127.0.0.1, ::1 or a path. Throws std::system_error where the machine does not have it.
  explicit FakeBackend(std::string address, std::optional<FakeTls> tls = std::nullopt);
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
  /// Server names that clients asked for, in order; "" for none.
  [[nodiscard]] std::vector<std::string> server_names() const;
  /// Common names of the certificates that clients showed.
  [[nodiscard]] std::vector<std::string> client_names() const;
  [[nodiscard]] int connections() const;
  [[nodiscard]] int tickets() const { return tickets_; }
  [[nodiscard]] static int now_order() { return orders_; }

 private:
  int bound_socket();
  void listen();
  void stop_listening();
  void accept_all(int fd);
  void serve(int fd, int number);
  struct Peer {
    int fd;
    SSL* ssl = nullptr;
    long read(char* into, std::size_t size) const;
    long write(std::string_view bytes) const;
  };
  void serve_requests(const Peer& peer, int number);
  bool shake_hands(SSL* ssl);
  void send_ticket(SSL* ssl);
  bool read_request(const Peer& peer, std::string& buffer, SeenRequest& out);
  bool write_reply(const Peer& peer, const Reply& reply);

  const std::string address_;
  const std::optional<FakeTls> tls_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  std::vector<std::string> server_names_, client_names_;
  static std::atomic<int> orders_;
  std::uint16_t port_ = 0;
  int listening_ = -1;
  int reserved_ = -1;  // bound while connections are refused
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
  std::atomic<int> tickets_{0};
};

}  // namespace phoenix::test
