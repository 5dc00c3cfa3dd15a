#include "arbiter/capture/wake_up.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/model/result.hpp"

namespace phoenix::capture {

WakeUp::WakeUp() : fd_(eventfd(0, EFD_CLOEXEC)) {
  if (fd_ < 0) throw Failure(ErrorCode::internal, "no file descriptor left for an eventfd");
}

WakeUp::~WakeUp() {
  close(fd_);
}

void WakeUp::request_stop() {
  stopping_.store(true, std::memory_order_release);
  eventfd_write(fd_, 1);
}

bool WakeUp::wait(std::chrono::milliseconds timeout) const {
  pollfd descriptor{fd_, POLLIN, 0};
  poll(&descriptor, 1, static_cast<int>(timeout.count()));
  return stopping();
}

}  // namespace phoenix::capture
