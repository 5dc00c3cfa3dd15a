// The whole program: event log, both sides, admin server. Runs from construction to destruction.
#pragma once

#include <memory>

#include "core/runtime/config.hpp"

namespace phoenix::capture {

class CaptureService {
 public:
  /// Throws Failure with one clear line when no side is configured, the event log cannot be used or the address is
  /// taken. A database may be away or not ready: that is reported at /readyz and tried again.
  explicit CaptureService(const config::Config& config);
  ~CaptureService();
  CaptureService(const CaptureService&) = delete;
  CaptureService& operator=(const CaptureService&) = delete;

  /// Of the admin server.
  [[nodiscard]] config::Endpoint endpoint() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::capture
