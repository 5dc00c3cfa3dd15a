// A set of IP addresses: single ones and CIDR blocks, IPv4 and IPv6. Pure.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <vector>

namespace phoenix::gateway {

class AddressBlocks {
 public:
  AddressBlocks() = default;
  /// As the configuration has checked them: "10.0.0.0/8", "::1".
  explicit AddressBlocks(const std::vector<std::string>& blocks);
  /// An IPv4 address in IPv6 form (::ffff:10.0.0.1) counts as IPv4.
  [[nodiscard]] bool contains(const boost::asio::ip::address& address) const;

 private:
  std::vector<boost::asio::ip::network_v4> v4_;
  std::vector<boost::asio::ip::network_v6> v6_;
};

}  // namespace phoenix::gateway
