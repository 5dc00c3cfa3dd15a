// HTTP/1.1 messages read as strictly as RFC 9112 allows, by code that shares nothing with the gateway: what the gateway
// writes must need no leniency.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace phoenix::test {

struct MalformedMessage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A message as far as its bytes go.
struct StrictMessage {
  enum class Framing { none, length, chunked, close };
  bool head_complete = false;
  bool complete = false;
  std::size_t size = 0;  ///< when complete: of the whole
  std::string start;
  std::vector<std::pair<std::string, std::string>> fields;
  Framing framing = Framing::none;
  std::string body;  ///< decoded, as far as it has come

  [[nodiscard]] std::string value(std::string_view name) const;  ///< empty when absent
  [[nodiscard]] std::string method() const { return start.substr(0, start.find(' ')); }
  [[nodiscard]] std::string target() const;
  [[nodiscard]] int status() const { return std::stoi(start.substr(9, 3)); }
};

/// Throws MalformedMessage on bytes that no complete message can begin with.
StrictMessage read_strict_request(std::string_view bytes);
/// `at_end`: no more bytes will come.
StrictMessage read_strict_response(std::string_view bytes, std::string_view request_method, bool at_end);

}  // namespace phoenix::test
