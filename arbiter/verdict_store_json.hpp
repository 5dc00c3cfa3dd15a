// What the rows of both sources of the store are made with. Internal to the store.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "arbiter/clean_text.hpp"

namespace phoenix::arbiter::rows {

using nlohmann::json;

inline std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(bytes.size() * 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text[2 * i] = kDigits[byte >> 4];
    text[2 * i + 1] = kDigits[byte & 15];
  }
  return text;
}

inline json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(clean_text(text));
}

/// Empty text: there are no rows.
inline std::string dump(const json& list) {
  return list.empty() ? "" : list.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace phoenix::arbiter::rows
