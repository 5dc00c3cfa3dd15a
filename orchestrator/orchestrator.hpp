// The orchestrator as one object: wires its parts, starts and stops them.
#pragma once

#include <memory>

#include "core/runtime/clock.hpp"
#include "core/runtime/config.hpp"

namespace phoenix::orchestrator {

class Orchestrator {
 public:
  /// Throws Failure in one line when the database, the event log or the listen address cannot be used.
  explicit Orchestrator(config::Config config);
  /// Stops; the policy's lease then runs out unless another orchestrator takes over.
  ~Orchestrator();
  Orchestrator(const Orchestrator&) = delete;
  Orchestrator& operator=(const Orchestrator&) = delete;

  /// The bound address of the API.
  [[nodiscard]] config::Endpoint endpoint() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::orchestrator
