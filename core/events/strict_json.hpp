// JSON whose integers are taken as they stand. nlohmann's own conversion cuts off fractions and what does not fit, and
// reads a number too large for 64 bits as a double, whose conversion is undefined. Include in sources, not in headers.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace phoenix {

/// Thrown where an integer is asked for and something else, or one outside the type's range, stands there.
struct JsonIntegerError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T, class = void>
struct StrictSerializer : nlohmann::adl_serializer<T> {};

template <class T>
struct StrictSerializer<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
  template <class Json>
  static void from_json(const Json& json, T& value) {
    if (json.is_number_unsigned()) {
      const auto number = *json.template get_ptr<const std::uint64_t*>();
      if (number <= static_cast<std::uint64_t>(std::numeric_limits<T>::max()))
        return void(value = static_cast<T>(number));
    } else if (json.is_number_integer()) {
      const auto number = *json.template get_ptr<const std::int64_t*>();
      const bool fits = std::is_signed_v<T> ? number >= static_cast<std::int64_t>(std::numeric_limits<T>::min()) &&
                                                  number <= static_cast<std::int64_t>(std::numeric_limits<T>::max())
                                            : number >= 0;
      if (fits) return void(value = static_cast<T>(number));
    }
    throw JsonIntegerError("'" + json.dump().substr(0, 40) + "' is no integer of the range that is allowed here");
  }
  template <class Json>
  static void to_json(Json& json, T value) {
    nlohmann::to_json(json, value);
  }
};

using StrictJson = nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, double,
                                        std::allocator, StrictSerializer>;

}  // namespace phoenix
