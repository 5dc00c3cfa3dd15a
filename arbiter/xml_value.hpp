// An XML document in the shape of a JSON one, so that answers in XML are compared by path like those in JSON. Pure.
//
// An element is an object: its attributes as "@name", its text as "#text", its child elements by name; children of one
// name are an array. Names are as written, prefix included. The order of children with different names is kept in the
// object's `text` ("a b a"). All values are text. Comments, processing instructions and white space between elements
// are left out.
#pragma once

#include <string_view>

#include "arbiter/json_value.hpp"

namespace phoenix::arbiter {

/// `invalid_input` for what is not one well-formed document, and for what has no such shape: a document type definition
/// (so that no entity is ever expanded), text between child elements, an attribute given twice, nesting deeper than
/// kMaxJsonDepth. Such bodies are compared by hash.
Result<JsonValue> parse_xml(std::string_view text);

}  // namespace phoenix::arbiter
