#include "fake_backend.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

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

FakeBackend::FakeBackend(std::string address, std::optional<FakeTls> tls)
    : address_(std::move(address)), tls_(std::move(tls)), script_([](const SeenRequest&) { return Reply::ok("{}"); }) {
  if (tls_) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    context_.reset(SSL_CTX_new(TLS_server_method()));
    bool good = SSL_CTX_use_certificate_chain_file(context_.get(), tls_->certificate.c_str()) == 1 &&
                SSL_CTX_use_PrivateKey_file(context_.get(), tls_->key.c_str(), SSL_FILETYPE_PEM) == 1;
    if (!tls_->client_ca.empty()) {
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
      good = good && SSL_CTX_load_verify_file(context_.get(), tls_->client_ca.c_str()) == 1;
      SSL_CTX_set_session_id_context(context_.get(), reinterpret_cast<const unsigned char*>("t"), 1);
    }
    if (!good) throw std::runtime_error("bad certificate files");
  }
  listen();
}

long FakeBackend::Peer::read(char* into, std::size_t size) const {
  return ssl != nullptr ? SSL_read(ssl, into, static_cast<int>(size)) : ::recv(fd, into, size, 0);
}
long FakeBackend::Peer::write(std::string_view bytes) const {
  return ssl != nullptr ? SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()))
                        : ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

FakeBackend::~FakeBackend() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  stop_listening();
  if (reserved_ >= 0) ::close(reserved_);
  for (auto& server : servers_) server.join();
}

int FakeBackend::bound_socket() {
  sockaddr_storage at{};
  socklen_t size = 0;
  if (address_.starts_with('/')) {
    auto& local = reinterpret_cast<sockaddr_un&>(at);
    local.sun_family = AF_UNIX;
    address_.copy(local.sun_path, sizeof local.sun_path - 1);
    ::unlink(address_.c_str());
    size = sizeof local;
  } else if (address_.find(':') != std::string::npos) {
    auto& six = reinterpret_cast<sockaddr_in6&>(at);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port_);
    ::inet_pton(AF_INET6, address_.c_str(), &six.sin6_addr);
    size = sizeof six;
  } else {
    auto& four = reinterpret_cast<sockaddr_in&>(at);
    four.sin_family = AF_INET;
    four.sin_port = htons(port_);
    ::inet_pton(AF_INET, address_.c_str(), &four.sin_addr);
    size = sizeof four;
  }
  const int fd = ::socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot bind to " + address_);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
  if (at.ss_family != AF_UNIX) port_ = ntohs(reinterpret_cast<sockaddr_in&>(at).sin_port);  // at the same place in both
  return fd;
}

void FakeBackend::listen() {
  const int fd = reserved_ >= 0 ? std::exchange(reserved_, -1) : bound_socket();
  if (::listen(fd, 1024) != 0) throw std::system_error(errno, std::generic_category(), "cannot listen on " + address_);
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

bool FakeBackend::read_request(const Peer& peer, std::string& buffer, SeenRequest& out) {
  const auto fill = [&] {
    char bytes[65536];
    const long n = peer.read(bytes, sizeof bytes);
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

bool FakeBackend::write_reply(const Peer& peer, const Reply& reply) {
  const auto write = [&peer](std::string_view bytes) {
    while (!bytes.empty()) {
      const long n = peer.write(bytes);
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
    ::setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  return !reply.reset && !reply.close;
}

bool FakeBackend::shake_hands(SSL* ssl) {
  const bool done = SSL_accept(ssl) == 1;
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  X509* shown = done ? SSL_get1_peer_certificate(ssl) : nullptr;
  char common[64] = "";
  if (shown != nullptr) X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, common, sizeof common);
  X509_free(shown);
  const std::lock_guard lock(mutex_);
  server_names_.emplace_back(name != nullptr ? name : "");
  if (common[0] != '\0') client_names_.emplace_back(common);
  return done;
}

void FakeBackend::serve(int fd, int number) {
  Peer peer{fd};
  if (context_) {
    peer.ssl = SSL_new(context_.get());
    SSL_set_fd(peer.ssl, fd);
  }
  if (peer.ssl == nullptr || shake_hands(peer.ssl)) serve_requests(peer, number);
  if (peer.ssl != nullptr && tls_->close_notify) SSL_shutdown(peer.ssl);
  SSL_free(peer.ssl);
  const std::lock_guard lock(mutex_);
  open_.erase(fd);
  ::close(fd);
}

void FakeBackend::send_ticket(SSL* ssl) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return pieces_ > 0 || stopping_; });
    --pieces_;
  }
  if (SSL_new_session_ticket(ssl) == 1 && SSL_do_handshake(ssl) == 1) ++tickets_;
}

void FakeBackend::serve_requests(const Peer& peer, int number) {
  std::string buffer;
  SeenRequest request;
  while (read_request(peer, buffer, request)) {
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
    if (!write_reply(peer, script(request))) break;
    if (peer.ssl != nullptr && tls_->late_ticket) send_ticket(peer.ssl);
    request = {};
  }
}

std::vector<std::string> FakeBackend::server_names() const {
  const std::lock_guard lock(mutex_);
  return server_names_;
}
std::vector<std::string> FakeBackend::client_names() const {
  const std::lock_guard lock(mutex_);
  return client_names_;
}
int FakeBackend::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
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
  if (reserved_ >= 0) return;
  stop_listening();
  reserved_ = bound_socket();  // or another program might answer there
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
