#include "gateway/route_table.hpp"
#include "tests/fuzz/json_reference.hpp"
#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {

void json_keys(std::string_view input) {
  static const std::vector<std::string> pointers = {"/from", "/to/id", "/items/0/account", "/items/1", "/0",
                                                    "/",     "/a~1b",  "/m~0n/to",         "/from"};
  const auto found = gateway::json_scalars_at(input, pointers);
  check(found.size() == pointers.size(), "an answer for each pointer");
  for (std::size_t i = 0; i < pointers.size(); ++i)
    check(found[i] == slow_scalar_at(input, pointers[i]), "a key is what every reader finds there, or unavailable");
}

}  // namespace phoenix::fuzz
