#include "arbiter/accepted_prediction.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/predicate.hpp>

#include "arbiter/body_document.hpp"

namespace phoenix::arbiter {
namespace {

using Kind = PredictedValue::Kind;

std::optional<Decimal> decimal_of(const std::string& text) {
  const auto parsed = Decimal::parse(text);
  return parsed ? std::optional(*parsed) : std::nullopt;
}

bool same_number(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto left = decimal_of(a), right = decimal_of(b);
  return left && right && *left == *right;
}

bool is_as_predicted(const PredictedValue& predicted, const JsonValue* actual, const JsonValue* legacy) {
  if (predicted.kind == Kind::absent || actual == nullptr) return predicted.kind == Kind::absent && actual == nullptr;
  const bool number = predicted.kind == Kind::number ||
                      (predicted.kind == Kind::text && legacy != nullptr && legacy->kind == JsonValue::Kind::number);
  if (number) return actual->kind == JsonValue::Kind::number && same_number(predicted.text, actual->text);
  switch (predicted.kind) {
    case Kind::null:
      return actual->kind == JsonValue::Kind::null;
    case Kind::boolean:
      return actual->kind == JsonValue::Kind::boolean && actual->text == predicted.text;
    default:
      return actual->kind == JsonValue::Kind::string && actual->text == predicted.text;
  }
}

template <class Value>
const Value* find_name(const std::vector<std::pair<std::string, Value>>& list, const std::string& name) {
  const auto at = std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.first == name; });
  return at == list.end() ? nullptr : &at->second;
}

std::optional<std::string> header_of(const LegRecord& leg, const std::string& wanted) {
  std::optional<std::string> values;
  for (const auto& [name, value] : leg.headers) {
    if (boost::algorithm::iequals(name, wanted)) values = values ? *values + ", " + value : value;
  }
  return values;
}

const JsonValue* element(const JsonValue& array, const std::string& segment) {
  const std::size_t equals = segment.find('=');
  if (equals == std::string::npos) return find(array, {segment});
  for (const auto& item : array.items) {
    const JsonValue* value = item.member(segment.substr(0, equals));
    if (value != nullptr && value->kind == JsonValue::Kind::object) value = value->member("#text");
    if (value == nullptr) continue;
    const std::string wanted = segment.substr(equals + 1);
    if (value->text == wanted || (value->kind == JsonValue::Kind::number && same_number(value->text, wanted)))
      return &item;
  }
  return nullptr;
}

std::optional<JsonValue> document_of(const LegRecord& leg) {
  if (leg.truncated || leg.cut) return std::nullopt;
  const Content content = content_of(leg);
  if (content == Content::other) return std::nullopt;
  auto parsed = parse_body(content, leg.body);
  return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
}

std::string name_of(const ValueDifference& difference) {
  switch (difference.kind) {
    case DifferenceKind::status:
      return "status";
    case DifferenceKind::header:
      return "header " + difference.path;
    case DifferenceKind::body:
      return "the whole body";
    case DifferenceKind::order:
      return "the order of " + difference.path;
    default:
      return difference.path;
  }
}

bool is_named(const Prediction& prediction, const ValueDifference& difference) {
  switch (difference.kind) {
    case DifferenceKind::status:
      return prediction.status.has_value();
    case DifferenceKind::header:
      return find_name(prediction.headers, boost::algorithm::to_lower_copy(difference.path)) != nullptr;
    case DifferenceKind::body:
    case DifferenceKind::order:
      return false;
    default:
      return find_name(prediction.response, difference.path) != nullptr;
  }
}

}  // namespace

std::string PredictedValue::brief() const {
  switch (kind) {
    case Kind::absent:
      return "absent";
    case Kind::null:
      return "null";
    case Kind::text:
      return JsonValue(JsonValue::Kind::string, text).brief();
    default:
      return text;
  }
}

const JsonValue* find_spelled(const JsonValue& document, const std::string& path) {
  const JsonValue* at = &document;
  for (const auto& segment : parse_json_path(path == "/" ? "" : path)) {
    if (at->kind == JsonValue::Kind::object) {
      at = at->member(segment);
    } else {
      at = at->kind == JsonValue::Kind::array ? element(*at, segment) : nullptr;
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

AnswerDocuments AnswerDocuments::of(const ExchangeEvent& exchange) {
  LegRecord request;  // a request is read as an answer is
  for (const auto& header : exchange.request_headers) {
    if (boost::algorithm::iequals(header.first, "content-type")) request.headers.push_back(header);
  }
  request.body = exchange.request_body;
  request.truncated = exchange.request_truncated;
  return {document_of(request), document_of(exchange.leg(Side::legacy)), document_of(exchange.leg(Side::modern))};
}

std::optional<std::string> contradiction(const Prediction& prediction, const LegRecord& leg, const JsonValue* document,
                                         const JsonValue* legacy) {
  if (prediction.status && *prediction.status != leg.status) {
    return fmt::format("status {} predicted, {} answered", *prediction.status, leg.status);
  }
  for (const auto& [name, predicted] : prediction.headers) {
    const auto actual = header_of(leg, name);
    const bool same = actual ? predicted.kind == Kind::text && predicted.text == *actual  //
                             : predicted.kind == Kind::absent;
    if (!same) return fmt::format("header {} is not the predicted one", name);
  }
  if (!prediction.response.empty() && document == nullptr) return "the body is cut or no document";
  for (const auto& [path, predicted] : prediction.response) {
    const JsonValue* actual = find_spelled(*document, path);
    if (is_as_predicted(predicted, actual, legacy ? find_spelled(*legacy, path) : nullptr)) continue;
    return fmt::format("{}: {} predicted, {} answered", path, predicted.brief(), actual ? actual->brief() : "absent");
  }
  return std::nullopt;
}

std::optional<std::string> unpredicted_difference(const Prediction& prediction, const ResponseDifference& responses) {
  if (responses.not_reported > 0) return "more differences than are listed";
  if (responses.outcome == ResponseDifference::Outcome::undecided) return responses.note;
  for (const auto& difference : responses.values) {
    if (!is_named(prediction, difference)) return fmt::format("{} differs too", name_of(difference));
  }
  return std::nullopt;
}

}  // namespace phoenix::arbiter
