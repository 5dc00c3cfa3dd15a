#include "gateway/address_blocks.hpp"

#include <algorithm>

namespace phoenix::gateway {

namespace ip = boost::asio::ip;

AddressBlocks::AddressBlocks(const std::vector<std::string>& blocks) {
  for (const auto& text : blocks) {
    const bool one = text.find('/') == std::string::npos;
    boost::system::error_code not_v4;
    const ip::network_v4 v4 = ip::make_network_v4(one ? text + "/32" : text, not_v4);
    if (!not_v4) {
      v4_.push_back(v4.canonical());
    } else {
      v6_.push_back(ip::make_network_v6(one ? text + "/128" : text).canonical());
    }
  }
}

bool AddressBlocks::contains(const ip::address& address) const {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return contains(ip::make_address_v4(ip::v4_mapped, address.to_v6()));
  if (address.is_v4()) {
    return std::any_of(v4_.begin(), v4_.end(), [&](const ip::network_v4& block) {
      return ip::network_v4(address.to_v4(), block.prefix_length()).canonical() == block;
    });
  }
  return std::any_of(v6_.begin(), v6_.end(), [&](const ip::network_v6& block) {
    return ip::network_v6(address.to_v6(), block.prefix_length()).canonical() == block;
  });
}

}  // namespace phoenix::gateway
