#include "gateway/durable_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/model/result.hpp"

namespace phoenix::gateway {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw Failure(ErrorCode::internal, fmt::format("cannot {} '{}': {}", what, path, std::strerror(errno)));
}

void sync_directory(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || ::fsync(fd) != 0) fail(directory, "sync directory");
  ::close(fd);
}

}  // namespace

void write_durably(const std::string& path, const std::string& content) {
  const std::string beside = path + ".new";
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) fail(beside, "create");
  std::size_t written = 0;
  while (written < content.size()) {
    const ssize_t n = ::write(fd, content.data() + written, content.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      ::close(fd);
      fail(beside, "write");
    }
    written += static_cast<std::size_t>(n);
  }
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  if (!synced) fail(beside, "sync");
  if (::rename(beside.c_str(), path.c_str()) != 0) fail(path, "replace");
  sync_directory(path);
}

DirectoryLock::DirectoryLock(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const std::string path = directory + "/lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) fail(path, "create");
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  const bool taken = errno == EWOULDBLOCK;
  ::close(fd_);
  if (!taken) fail(path, "lock");
  throw Failure(ErrorCode::conflict, fmt::format("another process uses the directory '{}'; give each gateway a "
                                                 "gateway.state_dir of its own",
                                                 directory));
}

DirectoryLock::~DirectoryLock() {
  ::close(fd_);
}

std::optional<std::string> read_file(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) fail(path, "read");
  return text.str();
}

}  // namespace phoenix::gateway
