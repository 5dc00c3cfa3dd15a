#include "gateway/redaction_key.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "core/model/result.hpp"
#include "gateway/durable_file.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::size_t kKeyBytes = 32;

std::string random_key() {
  std::array<unsigned char, kKeyBytes> bytes{};
  // Not OpenSSL, which would hold 250 kB for it ever after.
  if (::getentropy(bytes.data(), bytes.size()) != 0)
    throw Failure(ErrorCode::internal, "the kernel has no random bytes for the key of redacted values");
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

bool is_key(const std::string& text) {
  return text.size() == 2 * kKeyBytes && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string key_in(const std::string& state_dir) {
  const std::string path = state_dir + "/redaction.key";
  if (const auto kept = read_file(path)) {
    if (is_key(*kept)) return *kept;
    throw Failure(ErrorCode::invalid_input,
                  fmt::format("{}: not the key that was written there; remove the file for a new one, or name a key in "
                              "gateway.redact.key. Values redacted before then compare with none redacted after",
                              path));
  }
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error)
    throw Failure(ErrorCode::invalid_input,
                  fmt::format("cannot create gateway.state_dir '{}': {}", state_dir, error.message()));
  const std::string key = random_key();
  write_durably(path, key);
  return key;
}

}  // namespace

config::GatewayConfig with_redaction_key(config::GatewayConfig section) {
  if (section.redact.key.empty()) section.redact.key = key_in(section.state_dir);
  return section;
}

}  // namespace phoenix::gateway
