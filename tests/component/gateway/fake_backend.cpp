#include "fake_backend.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "tests/support/raw_client.hpp"

namespace phoenix::test {

std::atomic<int> FakeBackend::orders_{0};

std::string SeenRequest::header(std::string_view name) const {
  RawResponse parsed;
  parsed.head = head;
  return parsed.header(name);
}

Reply Reply::ok(const std::string& body, const std::string& fields) {
  return {
      fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}", body.size(), fields, body), false, false, {}};
}
Reply Reply::status(int status, const std::string& body) {
  return {
      fmt::format("HTTP/1.1 {} Scripted\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body), false, false, {}};
}

FakeBackend::FakeBackend() : script_([](const SeenRequest&) { return Reply::ok("{}"); }) {
  listen();
}

FakeBackend::~FakeBackend() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  stop_listening();
  for (auto& server : servers_) server.join();
}

void FakeBackend::listen() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port_);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || ::listen(fd, 1024) != 0)
    throw std::runtime_error("cannot listen");
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  port_ = ntohs(at.sin_port);
  listening_ = fd;
  acceptor_ = std::thread([this, fd] { accept_all(fd); });
}

void FakeBackend::stop_listening() {
  if (listening_ >= 0) ::shutdown(listening_, SHUT_RDWR);
  if (acceptor_.joinable()) acceptor_.join();
  if (listening_ >= 0) ::close(listening_);
  listening_ = -1;
  const std::lock_guard lock(mutex_);
  for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
}

void FakeBackend::accept_all(int fd) {
  while (true) {
    const int peer = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    const std::lock_guard lock(mutex_);
    open_.insert(peer);
    servers_.emplace_back([this, peer, number = ++connections_] { serve(peer, number); });
  }
}

bool FakeBackend::read_request(int fd, std::string& buffer, SeenRequest& out) {
  const auto fill = [&] {
    char bytes[65536];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n > 0) {
      buffer.append(bytes, static_cast<std::size_t>(n));
      bytes_ += static_cast<std::size_t>(n);
    }
    return n > 0;
  };
  while (buffer.find("\r\n\r\n") == std::string::npos) {
    if (!fill()) return false;
  }
  const std::size_t end = buffer.find("\r\n\r\n") + 4;
  out.head = buffer.substr(0, end);
  buffer.erase(0, end);
  const std::size_t space = out.head.find(' ');
  out.method = out.head.substr(0, space);
  out.target = out.head.substr(space + 1, out.head.find(' ', space + 1) - space - 1);
  if (out.header("X-Answer-Early") == "yes") return true;  // whatever of the body may come is left unread
  if (out.header("Transfer-Encoding") == "chunked") {
    for (std::size_t size = 1; size > 0;) {
      while (buffer.find("\r\n") == std::string::npos) {
        if (!fill()) return false;
      }
      size = std::strtoull(buffer.c_str(), nullptr, 16);
      buffer.erase(0, buffer.find("\r\n") + 2);
      while (buffer.size() < size + 2) {
        if (!fill()) return false;
      }
      out.body += buffer.substr(0, size);
      buffer.erase(0, size + 2);
    }
    return true;
  }
  const std::size_t length = std::strtoull(out.header("Content-Length").c_str(), nullptr, 10);
  while (buffer.size() < length) {
    if (!fill()) return false;
  }
  out.body = buffer.substr(0, length);
  buffer.erase(0, length);
  return true;
}

bool FakeBackend::write_reply(int fd, const Reply& reply) {
  const auto write = [fd](std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  };
  if (!write(reply.bytes)) return false;
  for (const auto& piece : reply.pieces) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return pieces_ > 0 || stopping_; });
      --pieces_;
    }
    if (!write(piece)) return false;
  }
  if (reply.reset) {
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  return !reply.reset && !reply.close;
}

void FakeBackend::serve(int fd, int number) {
  std::string buffer;
  SeenRequest request;
  while (read_request(fd, buffer, request)) {
    Script script;
    {
      std::unique_lock lock(mutex_);
      request.order = ++orders_;
      request.connection = number;
      seen_.push_back(request);
      changed_.notify_all();
      changed_.wait(lock, [this] { return !held_ || stopping_; });
      script = script_;
    }
    if (!write_reply(fd, script(request))) break;
    request = {};
  }
  const std::lock_guard lock(mutex_);
  open_.erase(fd);
  ::close(fd);
}

void FakeBackend::script(Script script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}
void FakeBackend::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}
void FakeBackend::release() {
  const std::lock_guard lock(mutex_);
  held_ = false;
  changed_.notify_all();
}
void FakeBackend::release_piece() {
  const std::lock_guard lock(mutex_);
  ++pieces_;
  changed_.notify_all();
}
void FakeBackend::refuse() {
  stop_listening();
}
void FakeBackend::back() {
  listen();
}

std::vector<SeenRequest> FakeBackend::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}
std::vector<std::string> FakeBackend::targets() const {
  std::vector<std::string> all;
  for (const auto& request : seen()) all.push_back(request.target);
  return all;
}
std::size_t FakeBackend::count() const {
  const std::lock_guard lock(mutex_);
  return seen_.size();
}
std::size_t FakeBackend::open_connections() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

bool FakeBackend::wait_for(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return seen_.size() >= count; });
}

}  // namespace phoenix::test
