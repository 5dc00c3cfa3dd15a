#include "gateway/field_lines.hpp"

#include "gateway/field_syntax.hpp"

namespace phoenix::gateway {
namespace {

constexpr std::size_t kUsualFields = 16;

constexpr HeadError bad(std::string_view reason) {
  return {400, reason};
}

template <class Visit>
void for_each_list_element(std::string_view value, Visit visit) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view element = trim(value.substr(0, comma));
    if (!element.empty()) visit(element);
    if (comma == std::string_view::npos) break;
    value.remove_prefix(comma + 1);
  }
}

// The fields of this name make one list. Readers agree on where the body ends only with `chunked`, once and last
// (RFC 9112, 6.1 and 6.3).
std::optional<HeadError> note_codings(std::string_view list, Framing& framing) {
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view coding = trim(list.substr(0, comma));
    if (coding.empty()) return bad("Transfer-Encoding is empty");
    if (framing.chunked) return bad("Transfer-Encoding does not end in one chunked");
    (equals_ignoring_case(coding, "chunked") ? framing.chunked : framing.unknown_coding) = true;
    if (comma == std::string_view::npos) return std::nullopt;
    list.remove_prefix(comma + 1);
  }
}

void note_connection(std::string_view options, MessageHead& out) {
  for_each_list_element(options, [&](std::string_view token) {
    if (equals_ignoring_case(token, "close")) {
      out.connection_close = true;
    } else if (equals_ignoring_case(token, "keep-alive")) {
      out.connection_keep_alive = true;
    } else {
      out.nominated.push_back(token);
    }
  });
}

// Content-Length, Transfer-Encoding and Connection: what decides where this message ends and which fields stay here.
std::optional<HeadError> note_framing(const HeaderField& field, MessageHead& out) {
  if (field.id == FieldId::connection) {
    note_connection(field.value, out);
  } else if (field.id == FieldId::transfer_encoding) {
    return note_codings(field.value, out.framing);
  } else if (field.id == FieldId::content_length) {
    const auto length = parse_field_number(field.value);
    if (!length) return bad("Content-Length is not a number");
    if (out.framing.content_length) return bad("Content-Length is repeated");
    out.framing.content_length = length;
  }
  return std::nullopt;
}

std::optional<HeadError> check_framing(const MessageHead& head) {
  const Framing& framing = head.framing;
  const bool coded = framing.chunked || framing.unknown_coding;
  if (coded && framing.content_length) return bad("both Content-Length and Transfer-Encoding");
  if (coded && head.minor_version == 0) return bad("Transfer-Encoding in HTTP/1.0");
  if (!framing.unknown_coding) return std::nullopt;
  return framing.chunked ? HeadError{501, "Transfer-Encoding other than chunked"}
                         : bad("Transfer-Encoding does not end in one chunked");
}

// Of a line that does not begin with a name and a colon.
HeadError line_fault(std::string_view text) {
  const std::string_view line = text.substr(0, text.find("\r\n"));
  if (line.starts_with(' ') || line.starts_with('\t')) return bad("a header line is folded");
  if (line.find(':') == std::string_view::npos) return bad("a header line has no colon");
  return bad("a header name has a forbidden character");
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

std::optional<std::uint64_t> parse_field_number(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;  // 18 digits always fit
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

std::optional<HeadError> parse_fields(std::string_view text, MessageHead& out) {
  constexpr FieldSet kDecides(FieldId::content_length, FieldId::transfer_encoding, FieldId::connection);
  if (out.fields.capacity() == 0) out.fields.reserve(kUsualFields);
  if (!text.ends_with("\r\n")) return bad("the head has no end");  // it stops every scan below
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const char* const name_end = token_end(at);
    if (name_end == at || *name_end != ':') {
      if (at[0] == '\r' && at[1] == '\n') break;
      return line_fault({at, static_cast<std::size_t>(end - at)});
    }
    const char* value = name_end + 1;
    while (is_blank(*value)) ++value;
    const char* const line_end = field_value_end(value, end);
    if (end - line_end < 2 || line_end[0] != '\r' || line_end[1] != '\n')
      return bad("a header value has a control character");
    const char* value_end = line_end;
    while (value_end != value && is_blank(value_end[-1])) --value_end;
    const std::string_view name(at, static_cast<std::size_t>(name_end - at));
    const HeaderField field{name, {value, static_cast<std::size_t>(value_end - value)}, field_id(name)};
    out.fields.push_back(field);
    out.present.add(field.id);
    if (kDecides.has(field.id)) {
      if (const auto error = note_framing(field, out)) return error;
    }
    at = line_end + 2;
  }
  return check_framing(out);
}

}  // namespace phoenix::gateway
