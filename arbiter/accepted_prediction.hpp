// What a rule says must be, and whether it is. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arbiter/json_value.hpp"
#include "arbiter/response_differ.hpp"
#include "core/events/exchange_event.hpp"

namespace phoenix::arbiter {

struct PredictedValue {
  enum class Kind {
    absent,
    null,
    boolean,
    number,  ///< a JSON number equal to `text`
    text,    ///< a JSON string, or a number where legacy's answer has a number there
  };
  Kind kind = Kind::absent;
  std::string text;
  [[nodiscard]] std::string brief() const;
};

struct Prediction {
  std::optional<std::int64_t> status;
  std::vector<std::pair<std::string, PredictedValue>> response;  ///< by JSON pointer, sorted
  std::vector<std::pair<std::string, PredictedValue>> headers;   ///< by name in lower case, sorted: text or absent
  /// By account, in its minor units, sorted: the delta itself, or how far modern's is above legacy's.
  std::vector<std::pair<std::string, std::int64_t>> delta, shift;
};

/// The value at a path as a ValueDifference spells it (`member=value` picks an element of a keyed array), or nullptr.
const JsonValue* find_spelled(const JsonValue& document, const std::string& path);

/// The two answers of one exchange, parsed; nothing where a body is absent, cut or no document.
struct AnswerDocuments {
  std::optional<JsonValue> request, legacy, modern;
  static AnswerDocuments of(const ExchangeEvent& exchange);
};

/// Why the answer of `side` is not what is predicted of it, or nothing. `legacy` tells the kind of a text.
std::optional<std::string> contradiction(const Prediction& prediction, const LegRecord& leg, const JsonValue* document,
                                         const JsonValue* legacy);

/// A difference that the prediction does not name, in words, or nothing. Differences that cannot be named (whole
/// bodies, the order of elements, more than are listed) always count.
std::optional<std::string> unpredicted_difference(const Prediction& prediction, const ResponseDifference& responses);

}  // namespace phoenix::arbiter
