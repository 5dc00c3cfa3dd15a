#include "gateway/proxy_header.hpp"

#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {

void proxy_header(std::string_view input) {
  using State = gateway::ProxyHeader::State;
  const gateway::ProxyHeader whole = gateway::parse_proxy_header(input);
  check(whole.state != State::complete || (whole.length >= 15 && whole.length <= input.size()), "within the input");
  check(whole.state == State::complete || !whole.client, "no client without a header");
  // However the bytes are cut, the same header comes out, and no earlier.
  for (std::size_t size = 0; size < input.size() && size < 600; ++size) {
    const gateway::ProxyHeader part = gateway::parse_proxy_header(input.substr(0, size));
    if (whole.state == State::complete && size < whole.length) check(part.state == State::incomplete, "cut short");
    if (part.state == State::incomplete) continue;
    check(part.state == whole.state && part.length == whole.length && part.client == whole.client,
          "what follows changes nothing");
  }
}

}  // namespace phoenix::fuzz
