// The whole arbiter: event log, verdict store, consumer, ledger reader, admin server. Runs from construction to
// destruction.
#pragma once

#include <memory>

#include "core/runtime/config.hpp"

namespace phoenix::arbiter {

class ArbiterService {
 public:
  /// Throws Failure with one clear line when the event log or the verdict store cannot be used, or the address is
  /// taken. Ledgers may be away: they are only needed to decide, and retried.
  explicit ArbiterService(const config::Config& config);
  ~ArbiterService();
  ArbiterService(const ArbiterService&) = delete;
  ArbiterService& operator=(const ArbiterService&) = delete;

  /// Of the admin server.
  [[nodiscard]] config::Endpoint endpoint() const;
  /// The file of accepted changes is read again. Any thread.
  void read_rules_again();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace phoenix::arbiter
