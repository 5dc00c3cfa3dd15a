// SHA-256, for what people compare: the audit chain, the rules that are active.
#pragma once

#include <string>
#include <string_view>

namespace phoenix {

/// Lower case hexadecimal. Throws Failure(internal) where OpenSSL does not offer it.
std::string sha256_hex(std::string_view bytes);

}  // namespace phoenix
