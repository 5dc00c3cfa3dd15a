// A response body as a document that can be compared by path: JSON, XML, or the fields of a form. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "arbiter/json_value.hpp"
#include "core/events/exchange_event.hpp"

namespace phoenix::arbiter {

enum class Content { json, xml, form, other };

/// By Content-Type: …/json and …+json, …/xml and …+xml, application/x-www-form-urlencoded. `other` is compared by hash.
Content content_of(const HeaderList& headers);
inline Content content_of(const LegRecord& leg) {
  return content_of(leg.headers);
}

/// `invalid_input` when the body is no such document; not for `other`.
Result<JsonValue> parse_body(Content content, std::string_view body);

/// Fields decoded, each a string by its name; fields of one name are an array in their order. `invalid_input` for a
/// broken escape and for a field without name.
Result<JsonValue> parse_form(std::string_view text);

}  // namespace phoenix::arbiter
