// Sockets and an epoll loop for the benchmark's own ends, which must cost less than what they measure.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>

namespace phoenix::bench {

[[noreturn]] inline void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

inline void without_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// Bound to a free port of 127.0.0.1 (or `port`), which is returned in `port`, and not listening: connects are refused.
inline int bind_to(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at = loopback(port);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fail("bind");
  socklen_t size = sizeof at;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  port = ntohs(at.sin_port);
  return fd;
}

/// Listens on a free port of 127.0.0.1 (or `port`), which is returned in `port`.
inline int listen_on(std::uint16_t& port) {
  const int fd = bind_to(port);
  if (::listen(fd, 4096) != 0) fail("listen");
  return fd;
}

/// A connected non-blocking socket; connecting itself may block.
inline int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const sockaddr_in at = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) fail("connect to the proxy");
  without_delay(fd);
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  return fd;
}

class Epoll {
 public:
  Epoll() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (fd_ < 0) fail("epoll_create1");
  }
  ~Epoll() { ::close(fd_); }
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;

  void add(int fd, void* context) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.ptr = context;
    if (::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }
  /// Whether `fd` is also reported while it can be written to.
  void watch_writable(int fd, void* context, bool wanted) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    if (wanted) event.events |= EPOLLOUT;
    event.data.ptr = context;
    if (::epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event) != 0) fail("epoll_ctl");
  }
  /// `each(context)` for what is readable; waits at most `timeout_ms` (-1: for ever).
  template <class Each>
  void wait(int timeout_ms, Each each) {
    epoll_event events[256];
    const int count = ::epoll_wait(fd_, events, 256, timeout_ms);
    for (int i = 0; i < count; ++i) each(events[i].data.ptr);
  }

 private:
  int fd_;
};

}  // namespace phoenix::bench
