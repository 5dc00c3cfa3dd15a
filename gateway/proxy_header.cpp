#include "gateway/proxy_header.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace phoenix::gateway {
namespace {

using State = ProxyHeader::State;
namespace ip = boost::asio::ip;

constexpr std::string_view kSignatureV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kSignatureV1 = "PROXY ";
constexpr std::size_t kLongestV1 = 107;  // with CR LF, for two IPv6 addresses

ProxyHeader malformed() {
  return {State::malformed, 0, std::nullopt};
}

bool is_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value <= 65'535 &&
         (text.size() == 1 || text.front() != '0');
}

// "TCP4 SOURCE DESTINATION SOURCE_PORT DESTINATION_PORT" or "UNKNOWN" with anything behind it.
ProxyHeader parse_line(std::string_view line, std::size_t length) {
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return {State::complete, length, std::nullopt};
  std::array<std::string_view, 5> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t space = line.find(' ');
    if ((space == std::string_view::npos) != (i + 1 == words.size())) return malformed();
    words[i] = line.substr(0, space);
    line.remove_prefix(std::min(line.size(), words[i].size() + 1));
  }
  boost::system::error_code bad;
  boost::system::error_code also_bad;
  const auto source = ip::make_address(words[1], bad);
  const auto destination = ip::make_address(words[2], also_bad);
  const bool v4 = words[0] == "TCP4";
  if ((!v4 && words[0] != "TCP6") || bad || also_bad || source.is_v4() != v4 || destination.is_v4() != v4 ||
      !is_port(words[3]) || !is_port(words[4]))
    return malformed();
  return {State::complete, length, source};
}

ProxyHeader parse_v1(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kLongestV1).find('\n');
  if (end == std::string_view::npos)
    return bytes.size() >= kLongestV1 ? malformed() : ProxyHeader{State::incomplete, bytes.size() + 1, std::nullopt};
  if (bytes[end - 1] != '\r') return malformed();
  return parse_line(bytes.substr(kSignatureV1.size(), end - 1 - kSignatureV1.size()), end + 1);
}

template <class Address>
std::optional<ip::address> address_at(std::string_view bytes) {
  typename Address::bytes_type raw;
  if (bytes.size() < raw.size()) return std::nullopt;
  std::copy_n(bytes.begin(), raw.size(), raw.begin());
  return ip::address(Address(raw));
}

ProxyHeader parse_v2(std::string_view bytes) {
  constexpr std::size_t kFixed = 16;
  if (bytes.size() < kFixed) return {State::incomplete, kFixed, std::nullopt};
  const auto byte = [&](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[at])); };
  const std::size_t length = kFixed + byte(14) * 256 + byte(15);
  const unsigned command = byte(12) & 0x0f;
  if (byte(12) >> 4 != 2 || command > 1 || length > kLongestProxyHeader) return malformed();
  if (bytes.size() < length) return {State::incomplete, length, std::nullopt};
  ProxyHeader out{State::complete, length, std::nullopt};
  if (command == 0) return out;  // LOCAL
  const std::string_view addresses = bytes.substr(kFixed, length - kFixed);
  const unsigned family = byte(13) >> 4;
  if (family > 3 || (byte(13) & 0x0f) > 2) return malformed();
  constexpr std::size_t kV4 = 12, kV6 = 36;  // both addresses and both ports
  if ((family == 1 && addresses.size() < kV4) || (family == 2 && addresses.size() < kV6)) return malformed();
  if (family == 1) out.client = address_at<ip::address_v4>(addresses);
  if (family == 2) out.client = address_at<ip::address_v6>(addresses);
  return out;
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  const auto begins = [&](std::string_view signature) {
    const std::size_t size = std::min(bytes.size(), signature.size());
    return bytes.substr(0, size) == signature.substr(0, size);
  };
  if (begins(kSignatureV2)) {
    if (bytes.size() < kSignatureV2.size()) return {State::incomplete, kSignatureV2.size(), std::nullopt};
    return parse_v2(bytes);
  }
  if (!begins(kSignatureV1)) return malformed();
  if (bytes.size() < kSignatureV1.size()) return {State::incomplete, kSignatureV1.size(), std::nullopt};
  return parse_v1(bytes);
}

}  // namespace phoenix::gateway
