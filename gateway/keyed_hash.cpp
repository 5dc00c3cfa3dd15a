// The EVP interface of OpenSSL 3 allocates for every hash; its older one works on a state that can be copied.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gateway/keyed_hash.hpp"

#include <openssl/crypto.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <memory>

namespace phoenix::gateway {
namespace {

using Block = std::array<unsigned char, SHA256_CBLOCK>;

void absorb(SHA256_CTX& state, Block block, unsigned char pad) {
  for (unsigned char& byte : block) byte = static_cast<unsigned char>(byte ^ pad);
  SHA256_Init(&state);
  SHA256_Update(&state, block.data(), block.size());
  OPENSSL_cleanse(block.data(), block.size());
}

constexpr std::size_t kShownBytes = 16;
using Redacted = std::array<char, 10 + 2 * kShownBytes + 1>;

Redacted shown(const KeyedHash::Digest& digest) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::string_view kBegin = "(redacted:";
  Redacted out;
  char* at = std::copy(kBegin.begin(), kBegin.end(), out.data());
  for (std::size_t i = 0; i < kShownBytes; ++i) {
    *at++ = kHex[digest[i] >> 4];
    *at++ = kHex[digest[i] & 15];
  }
  *at = ')';
  return out;
}

}  // namespace

KeyedHash::KeyedHash(std::string_view key) {
  Block block{};
  if (key.size() > block.size()) {
    SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), block.data());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  absorb(inner_, block, 0x36);
  absorb(outer_, block, 0x5c);
  OPENSSL_cleanse(block.data(), block.size());
}

KeyedHash::Digest KeyedHash::digest(std::string_view text) const {
  Digest digest;
  SHA256_CTX state = inner_;
  SHA256_Update(&state, text.data(), text.size());
  SHA256_Final(digest.data(), &state);
  state = outer_;
  SHA256_Update(&state, digest.data(), digest.size());
  SHA256_Final(digest.data(), &state);
  return digest;
}

// Clients send the same secret with each request: a thread remembers what it was asked lately. Not the secrets: 128
// bits of another hash under the key. Should two secrets ever share them, they would look equal in events, no more.
std::string KeyedHash::redacted(std::string_view text) const {
  struct Recent {
    XXH128_hash_t fingerprint{};
    Redacted redacted{};
    bool known = false;
  };
  // Not in place: each thread of the process would have room for it.
  static thread_local const auto kept = std::make_unique<std::array<Recent, 256>>();
  std::array<Recent, 256>& all = *kept;
  const std::uint64_t seed = std::uint64_t{inner_.h[0]} << 32 | inner_.h[1];
  const XXH128_hash_t fingerprint = XXH3_128bits_withSeed(text.data(), text.size(), seed);
  Recent& recent = all[fingerprint.low64 % all.size()];
  if (!recent.known || XXH128_isEqual(recent.fingerprint, fingerprint) == 0)
    recent = {fingerprint, shown(digest(text)), true};
  return {recent.redacted.data(), recent.redacted.size()};
}

std::uint64_t KeyedHash::rehashed(std::uint64_t hash) const {
  if (hash == 0) return 0;
  std::string text("body hash ");
  for (int shift = 0; shift < 64; shift += 8) text += static_cast<char>(hash >> shift);
  const Digest keyed = digest(text);
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) out = (out << 8) | keyed[i];
  return out;
}

}  // namespace phoenix::gateway
