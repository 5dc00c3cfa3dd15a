// What the fault sweep plays: exchanges with the bytes of all their ends.
#pragma once

#include <string>
#include <vector>

namespace phoenix::test {

/// One request of a client, and what the backends answer to it.
struct PlayedExchange {
  std::string method;
  std::string target;   ///< of its own: backends know the exchange by it
  std::string request;  ///< what the client sends
  std::string request_body;
  std::string answer;  ///< what a backend sends once it has the whole request
  bool answer_closes = false;
  int status = 200;         ///< what the client must get of it
  std::string answer_body;  ///< decoded
  bool pipelined = false;   ///< sent together with the one before
  bool shadowed = true;
  bool malformed = false;   ///< the answer: the client gets 502, or a body that breaks off
  bool open_ended = false;  ///< delimited by the close: an early end cannot be told from the end
  int interim = 0;          ///< responses before the final one
  [[nodiscard]] bool write() const { return method == "POST"; }
};

struct Scenario {
  std::string name;
  std::vector<PlayedExchange> exchanges;
  bool small = true;  ///< few bytes: also swept in pieces and with two faults
};

/// Bodies larger than this are streamed on the way up (the sweep's limits.shadow_body_bytes).
inline constexpr std::size_t kSweepShadowBodyBytes = 8 * 1024;
/// In every malformed byte that a backend sends; never on a client's wire.
inline constexpr const char* kMalformedMark = "EVIL";

std::vector<Scenario> fault_scenarios();

}  // namespace phoenix::test
