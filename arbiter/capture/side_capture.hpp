// Captures one side on a thread of its own, from construction to destruction: connect, check, read, publish, confirm;
// on any failure say why, wait and begin again from what is confirmed.
#pragma once

#include <memory>
#include <string>

#include "arbiter/capture/side_status.hpp"
#include "core/events/event_log.hpp"
#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::capture {

class SideCapture {
 public:
  /// References must outlive it. `side` is legacy or modern. Throws Failure when capture.state_dir cannot be used.
  SideCapture(std::string side, const config::CaptureSideConfig& side_config, const config::Config& config,
              EventLog& log, SideStatus& status, const Clock& clock);
  /// Confirms what became durable within a second, then leaves; the slot stays.
  ~SideCapture();
  SideCapture(const SideCapture&) = delete;
  SideCapture& operator=(const SideCapture&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::capture
