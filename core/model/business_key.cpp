#include "core/model/business_key.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>

namespace phoenix {

std::uint32_t cohort_bucket(std::string_view key, std::string_view salt) {
  const std::size_t size = salt.size() + 1 + key.size();
  std::array<char, 256> most;
  std::string longer;
  if (size > most.size()) longer.resize(size);
  char* const text = longer.empty() ? most.data() : longer.data();
  std::copy(salt.begin(), salt.end(), text);
  text[salt.size()] = '\0';
  std::copy(key.begin(), key.end(), text + salt.size() + 1);
  const XXH64_hash_t hash = XXH3_64bits(text, size);
  // The upper bits scaled to the range: uniform, and without the bias of a modulo.
  return static_cast<std::uint32_t>(((hash >> 32) * kBasisPoints) >> 32);
}

std::uint32_t cohort_bucket(const std::vector<BusinessKey>& keys, std::string_view salt) {
  std::uint32_t largest = 0;
  for (const auto& key : keys) largest = std::max(largest, cohort_bucket(key, salt));
  return largest;
}

}  // namespace phoenix
