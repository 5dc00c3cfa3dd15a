#include "gateway/access_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/model/result.hpp"
#include "core/runtime/log.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::size_t kBatchLines = 1024;
constexpr std::chrono::milliseconds kIdle{1000};
constexpr std::chrono::milliseconds kPatienceAtEnd{1000};
constexpr int kPollMs = 100;

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

AccessLogFile::AccessLogFile(const std::string& path) : path_(path) {
  // Not blocking: a named pipe without a reader is an error, and a full one must not hold the thread for ever.
  descriptor_ = path == "-" ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                            : ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
  if (descriptor_ < 0)
    throw Failure(ErrorCode::invalid_input,
                  fmt::format("gateway.access_log.path: cannot append to '{}': {}", path, std::strerror(errno)));
  struct stat status {};
  regular_ = ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
}

AccessLogFile::~AccessLogFile() {
  ::close(descriptor_);
}

std::size_t AccessLogFile::append(std::string_view text, const std::function<bool()>& patience) {
  std::string whole;
  if (line_is_cut_) {
    whole.append("\n").append(text);
    text = whole;
  }
  // A pipe that is ready takes PIPE_BUF bytes without blocking, also where it is shared with others (standard output).
  const std::size_t most = regular_ ? text.size() : PIPE_BUF;
  while (!text.empty()) {
    pollfd ready{descriptor_, POLLOUT, 0};
    if (!regular_ && ::poll(&ready, 1, kPollMs) == 0) {
      if (patience()) continue;
      error_ = "it takes no more";
      break;
    }
    const ssize_t n = ::write(descriptor_, text.data(), std::min(text.size(), most));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN && patience()) continue;
    if (n < 0) {
      error_ = std::strerror(errno);
      break;
    }
    line_is_cut_ = n > 0 && text[static_cast<std::size_t>(n) - 1] != '\n';
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return text.size();
}

AccessLogFilePtr AccessLog::open(const std::string& path) {
  return path.empty() ? nullptr : std::make_shared<AccessLogFile>(path);
}

void AccessLog::use(AccessLogFilePtr file) {
  const bool needs_thread = file && !thread_.joinable();
  {
    const std::lock_guard lock(file_mutex_);
    file_ = std::move(file);
  }
  if (needs_thread) thread_ = std::thread([this] { run(); });
}

void AccessLog::reopen() {
  const AccessLogFilePtr now = file();
  if (!now) return;
  try {
    use(open(now->path()));
  } catch (const Failure& failure) {
    log::error("{}; going on with the file that is open", failure.what());
  }
}

void AccessLog::write(std::string line) {
  const std::size_t bytes = line.size();
  if (!queue_.try_push(std::move(line), bytes)) dropped_.fetch_add(1, std::memory_order_relaxed);
}

void AccessLog::close() {
  give_up_at_ms_ = steady_ms() + kPatienceAtEnd.count();
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

AccessLogFilePtr AccessLog::file() const {
  const std::lock_guard lock(file_mutex_);
  return file_;
}

void AccessLog::run() {
  std::string text;
  while (true) {
    const auto lines = queue_.pop_batch(kBatchLines, kIdle);
    if (lines.empty() && queue_.closed()) return;
    text.clear();
    for (const auto& line : lines) text += line;
    if (!text.empty()) write_batch(text);
  }
}

void AccessLog::write_batch(const std::string& text) {
  const AccessLogFilePtr to = file();
  if (!to) return;
  const std::size_t left = to->append(text, [&] {
    // A pipe that nobody reads is given up when another file has taken its place, or at the end.
    const std::int64_t give_up = give_up_at_ms_;
    return (give_up == 0 || steady_ms() < give_up) && to == file();
  });
  if (left > 0) {
    const auto lost =
        std::count(text.end() - static_cast<std::ptrdiff_t>(std::min(left, text.size())), text.end(), '\n');
    dropped_.fetch_add(static_cast<std::uint64_t>(lost), std::memory_order_relaxed);
    if (!failing_)
      log::error("access log '{}': {}; lines are lost and counted until it can be written again", to->path(),
                 to->error());
  } else if (failing_) {
    log::info("access log '{}' is written again", to->path());
  }
  failing_ = left > 0;
}

}  // namespace phoenix::gateway
