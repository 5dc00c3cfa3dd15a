#include "gateway/side_override.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <array>
#include <string>
#include <vector>

namespace phoenix::gateway {
namespace {

// Hashed first: the time that the comparison takes tells neither the token nor its length.
bool is_same_secret(std::string_view a, std::string_view b) {
  const auto digest = [](std::string_view text) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> out{};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
    return out;
  };
  const auto left = digest(a);
  const auto right = digest(b);
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

std::vector<std::string_view> take(RequestHead& head, const std::string& name) {
  std::vector<std::string_view> values;
  std::erase_if(head.fields, [&](const HeaderField& field) {
    if (!equals_ignoring_case(field.name, name)) return false;
    values.push_back(field.value);
    return true;
  });
  return values;
}

}  // namespace

SideOverride take_override(RequestHead& head, const config::GatewayConfig::Override& config) {
  if (!config.enabled()) return {};
  const auto sides = take(head, config.header);
  const auto tokens = take(head, config.token_header);
  if (sides.empty() && tokens.empty()) return {};
  const std::string_view token = tokens.empty() ? std::string_view() : tokens.front();
  if (tokens.size() != 1 || !is_same_secret(tokens.front(), config.token))
    return {std::nullopt, "the token of the side override is missing, repeated or wrong", token};
  const auto side = sides.size() == 1 ? side_from_string(sides.front()) : std::nullopt;
  if (!side) return {std::nullopt, "the side override names no side: legacy or modern, once", token};
  return {side, {}, token};
}

bool override_counts(const Exchange& exchange, const EffectiveSlice& slice) {
  if (!exchange.override_side || exchange.route->is_unmatched || !exchange.upgrade.empty()) return false;
  if (slice.stage == Stage::canary || slice.stage == Stage::promoted) return true;
  return slice.stage == Stage::shadow && !slice.killed &&
         exchange.settings->routes.may_leave_shadow(exchange.route->slice_index);
}

}  // namespace phoenix::gateway
