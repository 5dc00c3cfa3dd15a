// Asks Postgres how far one slot is behind, on a thread of its own: also, and above all, while capturing stands still.
#pragma once

#include <memory>
#include <string>

#include "arbiter/capture/side_status.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::capture {

class SlotMonitor {
 public:
  /// `status` must outlive it. Beyond capture.max_slot_lag it sets slot_problem and logs an error; it never touches the
  /// slot.
  SlotMonitor(std::string side, const config::CaptureSideConfig& config, const config::CaptureConfig& capture,
              SideStatus& status);
  ~SlotMonitor();
  SlotMonitor(const SlotMonitor&) = delete;
  SlotMonitor& operator=(const SlotMonitor&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::capture
