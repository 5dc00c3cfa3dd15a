// The real phoenix-arbiter, as a child process.
#pragma once

#include "core/runtime/config.hpp"
#include "tests/support/child.hpp"

namespace phoenix::arbiter_test {

class Child : public test::Child {
 public:
  /// Its log stands beside the configuration.
  explicit Child(const std::string& config);
  /// Where its admin server listens; port 0 until it has said so.
  [[nodiscard]] config::Endpoint admin() const;
};

}  // namespace phoenix::arbiter_test
