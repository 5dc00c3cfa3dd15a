// Reads one answer of the bank and checks what can be checked without knowing the account: shape, echoed ids and
// amount. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/traffic/workload.hpp"

namespace phoenix::traffic {

/// Something a client would call a wrong answer.
struct Difference {
  std::int64_t account = 0;
  std::string what;
  std::string expected;
  std::string got;
};

struct ParsedAnswer {
  int status = 0;
  std::optional<std::int64_t> fee_minor;      ///< of an accepted write
  std::optional<std::int64_t> amount_minor;   ///< that was moved
  std::optional<std::int64_t> balance_minor;  ///< of Operation::account after it
  std::vector<Difference> differences;
};

ParsedAnswer parse_answer(const Operation& operation, int status, std::string_view body);

}  // namespace phoenix::traffic
