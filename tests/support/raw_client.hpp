// A client on a plain socket: sends exactly the bytes it is given, and shows exactly the bytes that come back.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::test {

inline bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

struct RawResponse {
  int status = 0;
  std::string head;  // status line and fields with the empty line
  std::string body;  // decoded
  bool complete = false;

  /// All values of a field in order, joined by '|'.
  [[nodiscard]] std::string header(std::string_view name) const {
    std::string all;
    std::size_t at = head.find("\r\n") + 2;
    while (at + 2 < head.size()) {
      const std::size_t end = head.find("\r\n", at);
      const std::string_view line = std::string_view(head).substr(at, end - at);
      const std::size_t colon = line.find(':');
      if (same_name(line.substr(0, colon), name))
        all += (all.empty() ? "" : "|") + std::string(line.substr(std::min(line.size(), colon + 2)));
      at = end + 2;
    }
    return all;
  }
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, std::chrono::milliseconds patience = std::chrono::seconds(20))
      : patience_(patience) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0)
      throw std::runtime_error("cannot connect to the gateway");
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// False when the peer no longer takes bytes.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// Waits until `text` is among the bytes received and not yet taken.
  bool wait_for(std::string_view text) {
    while (buffer_.find(text) == std::string::npos) {
      if (!fill()) return false;
    }
    return true;
  }
  /// Takes one response; `to_head` says that it answers HEAD. Interim responses are returned like others.
  RawResponse response(bool to_head = false) {
    RawResponse out;
    if (!wait_for("\r\n\r\n")) return out;
    out.head = take(buffer_.find("\r\n\r\n") + 4);
    out.status = std::atoi(out.head.c_str() + 9);
    if (to_head || out.status < 200 || out.status == 204 || out.status == 304) {
      out.complete = true;
    } else if (out.header("transfer-encoding") == "chunked") {
      out.complete = read_chunks(out.body);
    } else if (const std::string length = out.header("content-length"); !length.empty()) {
      const auto size = static_cast<std::size_t>(std::stoull(length));
      while (buffer_.size() < size && fill()) {
      }
      out.complete = buffer_.size() >= size;
      out.body = take(std::min(size, buffer_.size()));
    } else {
      while (fill()) {
      }
      out.complete = closed_;
      out.body = take(buffer_.size());
    }
    return out;
  }
  RawResponse exchange(std::string_view request, bool to_head = false) {
    return send(request) ? response(to_head) : RawResponse{};
  }
  /// True when the peer ends the connection within the patience, without one more byte.
  bool closed_by_peer() {
    while (fill()) {
    }
    return closed_ && buffer_.empty();
  }
  [[nodiscard]] const std::string& unread() const { return buffer_; }
  /// Whether anything, or the end, comes within the time.
  bool unread_or_wait(std::chrono::milliseconds time) {
    pollfd waiting{fd_, POLLIN, 0};
    return !buffer_.empty() || closed_ || ::poll(&waiting, 1, static_cast<int>(time.count())) > 0;
  }

 private:
  bool fill() {
    pollfd waiting{fd_, POLLIN, 0};
    if (closed_ || ::poll(&waiting, 1, static_cast<int>(patience_.count())) <= 0) return false;
    char bytes[65536];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) closed_ = true;
    if (n > 0) buffer_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }
  std::string take(std::size_t size) {
    std::string out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return out;
  }
  bool read_chunks(std::string& body) {
    while (wait_for("\r\n")) {
      const std::size_t size = std::strtoull(take(buffer_.find("\r\n") + 2).c_str(), nullptr, 16);
      while (buffer_.size() < size + 2 && fill()) {
      }
      if (buffer_.size() < size + 2) return false;
      body += take(size);
      take(2);
      if (size == 0) return true;
    }
    return false;
  }

  int fd_ = -1;
  const std::chrono::milliseconds patience_;
  std::string buffer_;
  bool closed_ = false;
};

}  // namespace phoenix::test
