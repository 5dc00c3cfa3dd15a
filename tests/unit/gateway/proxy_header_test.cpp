#include "gateway/proxy_header.hpp"

#include <string>

#include "tests/support/catch.hpp"

using namespace phoenix::gateway;
using State = ProxyHeader::State;

namespace {

std::string address_of(std::string_view bytes) {
  const ProxyHeader header = parse_proxy_header(bytes);
  if (header.state != State::complete) return header.state == State::incomplete ? "incomplete" : "malformed";
  return header.client ? header.client->to_string() : "none";
}

const std::string kV2("\r\n\r\n\0\r\nQUIT\n", 12);
const std::string kV4Addresses("\xc0\x00\x02\x01\x7f\x00\x00\x01\x30\x39\x01\xbb", 12);

std::string v2(const std::string& command_and_family, const std::string& rest) {
  return kV2 + command_and_family + static_cast<char>(rest.size() / 256) + static_cast<char>(rest.size() % 256) + rest;
}

}  // namespace

TEST_CASE("PROXY protocol version 1") {
  CHECK(address_of("PROXY TCP4 192.0.2.1 127.0.0.1 12345 443\r\nGET /") == "192.0.2.1");
  CHECK(address_of("PROXY TCP6 2001:db8::1 ::1 12345 443\r\n") == "2001:db8::1");
  CHECK(address_of("PROXY UNKNOWN\r\n") == "none");
  CHECK(address_of("PROXY UNKNOWN ffff:f...f:ffff ffff::1 65535 65535\r\n") == "none");
  CHECK(parse_proxy_header("PROXY UNKNOWN\r\nGET /").length == 15);
  for (const char* bad :
       {"PROXY TCP4 192.0.2.1 127.0.0.1 12345\r\n", "PROXY TCP4 192.0.2.1 127.0.0.1 12345 443 1\r\n",
        "PROXY TCP4 ::1 ::1 12345 443\r\n", "PROXY TCP6 192.0.2.1 127.0.0.1 12345 443\r\n", "PROXY UDP4 a b 1 2\r\n",
        "PROXY TCP4 192.0.2.1 127.0.0.1 70000 443\r\n", "PROXY TCP4 192.0.2.1 127.0.0.1 012 443\r\n",
        "PROXY TCP4  192.0.2.1 127.0.0.1 1 2\r\n", "PROXY TCP4 192.0.2.1 127.0.0.1 1 2\n", "PROXY UNKNOWNx\r\n",
        "GET / HTTP/1.1\r\n", "PROXX", "\n"}) {
    INFO(bad);
    CHECK(address_of(bad) == "malformed");
  }
  CHECK(address_of("PROXY TCP4 " + std::string(120, '1')) == "malformed");
}

TEST_CASE("PROXY protocol version 2") {
  CHECK(address_of(v2("\x21\x11", kV4Addresses)) == "192.0.2.1");
  CHECK(address_of(v2("\x21\x11", kV4Addresses + "\x03\x00\x04more")) == "192.0.2.1");  // with extensions
  const std::string v6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x01" + std::string(20, '\0');
  CHECK(address_of(v2("\x21\x21", v6)) == "2001:db8::1");
  CHECK(address_of(v2(std::string("\x20\x00", 2), "")) == "none");           // LOCAL
  CHECK(address_of(v2("\x21\x31", std::string(216, 'u'))) == "none");        // Unix addresses
  CHECK(address_of(v2(std::string("\x21\x00", 2), "")) == "none");           // unspecified
  CHECK(address_of(v2("\x31\x11", kV4Addresses)) == "malformed");            // version
  CHECK(address_of(v2("\x22\x11", kV4Addresses)) == "malformed");            // command
  CHECK(address_of(v2("\x21\x41", kV4Addresses)) == "malformed");            // family
  CHECK(address_of(v2("\x21\x11", kV4Addresses.substr(1))) == "malformed");  // addresses cut short
  CHECK(address_of(kV2 + "\x21\x11\x7f\xff") == "malformed");                // longer than anybody needs
  CHECK(parse_proxy_header(v2("\x21\x11", kV4Addresses) + "GET /").length == 28);
}

TEST_CASE("every beginning of a PROXY header is incomplete and never over-long") {
  for (const std::string& whole :
       {std::string("PROXY TCP4 192.0.2.1 127.0.0.1 12345 443\r\n"), v2("\x21\x11", kV4Addresses)}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const ProxyHeader header = parse_proxy_header(std::string_view(whole).substr(0, size));
      CHECK(header.state == State::incomplete);
      CHECK(header.length > size);
      CHECK(header.length <= whole.size());
    }
  }
}
