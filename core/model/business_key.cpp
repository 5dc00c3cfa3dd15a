#include "core/model/business_key.hpp"

#include <xxhash.h>

#include <algorithm>

namespace phoenix {

std::uint32_t cohort_bucket(std::string_view key, std::string_view salt) {
  std::string text;
  text.reserve(salt.size() + 1 + key.size());
  text.append(salt).append(1, '\0').append(key);
  const XXH64_hash_t hash = XXH3_64bits(text.data(), text.size());
  // The upper bits scaled to the range: uniform, and without the bias of a modulo.
  return static_cast<std::uint32_t>(((hash >> 32) * kBasisPoints) >> 32);
}

std::uint32_t cohort_bucket(const std::vector<BusinessKey>& keys, std::string_view salt) {
  std::uint32_t largest = 0;
  for (const auto& key : keys) largest = std::max(largest, cohort_bucket(key, salt));
  return largest;
}

}  // namespace phoenix
