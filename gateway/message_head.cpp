#include "gateway/message_head.hpp"

#include <algorithm>

#include "core/model/byte_scan.hpp"
#include "gateway/field_lines.hpp"
#include "gateway/field_syntax.hpp"

namespace phoenix::gateway {
namespace {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

constexpr HeadError bad(std::string_view reason) {
  return {400, reason};
}

// "HTTP/1.1" or "HTTP/1.0"; 505 for another version that is well-formed.
std::optional<HeadError> parse_version(std::string_view text, int& minor) {
  if (text == "HTTP/1.1") {
    minor = 1;
    return std::nullopt;
  }
  if (text.size() != 8 || !text.starts_with("HTTP/") || text[6] != '.' || text[5] < '0' || text[5] > '9' ||
      text[7] < '0' || text[7] > '9') {
    return bad("the version is not HTTP/x.y");
  }
  if (text[5] != '1' || text[7] > '1') return HeadError{505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  minor = text[7] - '0';
  return std::nullopt;
}

// origin-form, absolute-form or `*` (RFC 9112, 3.2); absolute-form is split so that the target goes on as origin-form.
std::optional<HeadError> parse_target(RequestHead& out) {
  if (!is_target(out.target)) return bad("the request target has a forbidden character");
  if (out.method == "CONNECT") return HeadError{501, "CONNECT is not offered here"};  // in any form: no tunnel goes on
  if (out.target.front() == '/') return std::nullopt;
  if (out.target == "*" && out.method == "OPTIONS") return std::nullopt;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (out.target.size() <= scheme.size() || !equals_ignoring_case(out.target.substr(0, scheme.size()), scheme))
      continue;
    const std::string_view rest = out.target.substr(scheme.size());
    const std::size_t slash = rest.find_first_of("/?");
    out.authority = rest.substr(0, slash);
    const std::string_view no_path = out.method == "OPTIONS" ? "*" : "/";  // RFC 9112, 3.2.4
    out.target = slash == std::string_view::npos ? no_path : rest.substr(slash);
    if (out.target.front() == '?') out.target = out.rooted_target.assign("/").append(out.target);
    if (out.authority.empty() || out.authority.front() == ':' || !is_host(out.authority))
      return bad("the request target names no valid host");
    return std::nullopt;
  }
  return bad("the request target is neither a path nor a URL");
}

std::optional<HeadError> check_request_fields(RequestHead& out) {
  const bool limits_hops = out.method == "OPTIONS" || out.method == "TRACE";
  int hosts = 0;
  int upgrades = 0;
  for (const auto& field : out.fields) {
    switch (field.id) {
      case FieldId::host:
        ++hosts;
        out.host = field.value;
        if (!is_host(field.value)) return bad("Host has a forbidden character");
        break;
      case FieldId::expect:
        if (!equals_ignoring_case(field.value, "100-continue"))
          return HeadError{417, "only 100-continue can be expected"};
        out.expects_continue = true;
        break;
      case FieldId::upgrade:
        ++upgrades;
        out.upgrade = field.value;
        break;
      case FieldId::max_forwards: {
        if (!limits_hops) break;
        const auto hops = parse_field_number(field.value);
        if (!hops || out.max_forwards) return bad("Max-Forwards is not one number");
        out.max_forwards = hops;
        break;
      }
      default:
        break;
    }
  }
  if (upgrades != 1 || !out.nominates("upgrade") || out.minor_version == 0) out.upgrade = {};
  if (hosts > 1) return bad("Host is repeated");
  if (hosts == 0 && out.minor_version == 1) return bad("Host is missing");
  return std::nullopt;
}

}  // namespace

bool detail::same_ignoring_case(const char* a, const char* b, std::size_t size) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

HeadEnd find_head_end(std::string_view buffered, std::size_t& scanned) {
  const char* const begin = buffered.data();
  const char* const end = begin + buffered.size();
  const char* at = begin + scanned;
  const auto is_line_feed = [](auto byte) { return byte == static_cast<unsigned char>('\n'); };
  while (true) {
    at = byte_scan::find_if(at, end, is_line_feed);
    if (at == end) {
      scanned = buffered.size();
      return {};
    }
    if (at == begin || at[-1] != '\r') {
      scanned = static_cast<std::size_t>(at - begin) + 1;
      return {HeadEnd::State::bare_line_feed, 0};
    }
    ++at;
    if (at - begin >= 4 && at[-3] == '\n') {
      scanned = static_cast<std::size_t>(at - begin);
      return {HeadEnd::State::complete, scanned};
    }
  }
}

std::string_view MessageHead::find(FieldId id) const {
  if (!present.has(id)) return {};
  for (const auto& field : fields) {
    if (field.id == id) return field.value;
  }
  return {};
}

std::string_view MessageHead::find(std::string_view name) const {
  const FieldId id = field_id(name);
  if (!present.has(id)) return {};
  for (const auto& field : fields) {
    if (field.id == id && equals_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

bool MessageHead::is_nominated(std::string_view name) const {
  return std::any_of(nominated.begin(), nominated.end(),
                     [&](std::string_view token) { return equals_ignoring_case(token, name); });
}

void MessageHead::clear() {
  fields.clear();
  present = FieldSet();
  nominated.clear();
  framing = {};
  minor_version = 1;
  connection_close = connection_keep_alive = false;
}

bool is_upgrade_to(const ResponseHead& head, std::string_view protocol) {
  return !protocol.empty() && head.nominates("upgrade") && equals_ignoring_case(head.find(FieldId::upgrade), protocol);
}

bool ResponseHead::allows_body(std::string_view request_method) const {
  return request_method != "HEAD" && status >= 200 && status != 204 && status != 304;
}

std::optional<HeadError> parse_request_head(std::string_view text, RequestHead& out) {
  out.clear();
  out.authority = out.host = {};
  out.expects_continue = false;
  out.upgrade = {};
  out.max_forwards.reset();
  const std::string_view line = take_line(text);
  const std::size_t first = line.find(' ');
  constexpr std::size_t kVersionBytes = 8;  // of every version that is accepted: mostly no search is needed
  const bool usual = line.size() > kVersionBytes && line[line.size() - kVersionBytes - 1] == ' ';
  const std::size_t last = usual ? line.size() - kVersionBytes - 1 : line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad("the request line is not METHOD TARGET VERSION");
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  if (!is_token(out.method)) return bad("the method has a forbidden character");
  if (const auto error = parse_version(line.substr(last + 1), out.minor_version)) return error;
  if (const auto error = parse_target(out)) return error;
  if (const auto error = parse_fields(text, out)) return error;
  return check_request_fields(out);
}

std::optional<HeadError> parse_response_head(std::string_view text, std::string_view request_method,
                                             ResponseHead& out) {
  out.clear();
  out.close_delimited = false;
  const std::string_view line = take_line(text);
  const HeadError malformed{502, "the status line is malformed"};
  if (line.size() < 12 || line[8] != ' ' || parse_version(line.substr(0, 8), out.minor_version)) return malformed;
  out.status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return malformed;
    out.status = out.status * 10 + (c - '0');
  }
  if (out.status < 100 || out.status > 599 || (line.size() > 12 && line[12] != ' ')) return malformed;
  out.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (!is_field_value(out.reason)) return malformed;
  if (auto error = parse_fields(text, out)) return HeadError{502, error->reason};
  if (out.status < 200 && (out.framing.chunked || out.framing.content_length.value_or(0) > 0))
    return HeadError{502, "an interim response states a body"};
  out.close_delimited = out.allows_body(request_method) && !out.framing.chunked && !out.framing.content_length;
  return std::nullopt;
}

}  // namespace phoenix::gateway
