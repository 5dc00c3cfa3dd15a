#include "gateway/address_blocks.hpp"

#include "tests/support/catch.hpp"

using phoenix::gateway::AddressBlocks;

TEST_CASE("addresses in blocks, IPv4 in either form") {
  const AddressBlocks blocks({"10.1.2.3/8", "192.0.2.7", "2001:db8::/32", "::1"});
  const auto contains = [&](const char* address) { return blocks.contains(boost::asio::ip::make_address(address)); };
  for (const char* inside :
       {"10.0.0.1", "10.255.255.255", "192.0.2.7", "::ffff:10.9.9.9", "::ffff:192.0.2.7", "2001:db8:1::9", "::1"})
    CHECK(contains(inside));
  for (const char* outside : {"11.0.0.1", "192.0.2.8", "2001:db9::1", "::2", "127.0.0.1", "::ffff:11.0.0.1"})
    CHECK_FALSE(contains(outside));
  CHECK_FALSE(AddressBlocks().contains(boost::asio::ip::make_address("127.0.0.1")));
  CHECK(AddressBlocks({"0.0.0.0/0"}).contains(boost::asio::ip::make_address("203.0.113.9")));
}
