#include "child.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

namespace phoenix::arbiter_test {
namespace {

std::string new_log(const std::string& config) {
  static int number = 0;
  return fmt::format("{}.{}.log", config, ++number);
}

}  // namespace

Child::Child(const std::string& config)
    : test::Child(std::string(PHOENIX_BIN_DIR) + "/phoenix-arbiter", config, new_log(config)) {}

config::Endpoint Child::admin() const {
  std::ifstream file(log());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string before = "admin server on http://";
  const auto at = text.find(before);
  if (at == std::string::npos) return {"127.0.0.1", 0};
  const auto start = at + before.size();
  return config::parse_endpoint(text.substr(start, text.find('\n', start) - start)).value();
}

}  // namespace phoenix::arbiter_test
