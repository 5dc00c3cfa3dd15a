#include "gateway/head_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "gateway/http_date.hpp"

namespace phoenix::gateway {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

bool starts_with_phoenix(std::string_view name) {
  return name.size() > 10 && equals_ignoring_case(name.substr(0, 10), "x-phoenix-");
}

// Not forwarded as they stand: removed, or written anew by us.
bool is_replaced_in_request(std::string_view name, bool trusted) {
  for (const std::string_view replaced : {"host", "content-length", "expect", "x-request-id", "x-forwarded-for",
                                          "x-forwarded-proto", "x-forwarded-host", "via"}) {
    if (equals_ignoring_case(name, replaced)) return true;
  }
  if (starts_with_phoenix(name)) return true;
  return !trusted &&
         (equals_ignoring_case(name, "forwarded") || equals_ignoring_case(name.substr(0, 12), "x-forwarded-"));
}

// A field that proxies append to: all values so far, then ours.
void append_chain(std::string& out, const RequestHead& head, std::string_view name, std::string_view own) {
  out.append(name).append(": ");
  for (const auto& field : head.fields) {
    if (equals_ignoring_case(field.name, name)) out.append(field.value).append(", ");
  }
  out.append(own).append("\r\n");
}

// Who is trusted tells how the client came; of several values the first is the one nearest to the client.
std::string_view told_or(const RequestHead& head, const ClientPeer& peer, std::string_view name, std::string_view own) {
  const std::string_view told = peer.trusted && !head.nominates(name) ? head.find(name) : std::string_view();
  return told.empty() ? own : told;
}

void append_forwarded(std::string& out, const RequestHead& head, const ClientPeer& peer) {
  if (peer.trusted && !head.nominates("x-forwarded-for")) {
    append_chain(out, head, "X-Forwarded-For", peer.address);
  } else {
    append_field(out, "X-Forwarded-For", peer.address);
  }
  append_field(out, "X-Forwarded-Proto", told_or(head, peer, "x-forwarded-proto", peer.protocol));
  const std::string_view host =
      told_or(head, peer, "x-forwarded-host", head.authority.empty() ? head.host : head.authority);
  if (!host.empty()) append_field(out, "X-Forwarded-Host", host);
}

// Does nothing where the head has no such field. The head has no empty line at its end, and no folded lines.
void replace_field(std::string& head, std::string_view name, std::string_view value) {
  bool found = false;
  for (std::size_t line = head.find("\r\n") + 2; line < head.size();) {
    const std::size_t next = head.find("\r\n", line) + 2;
    if (equals_ignoring_case(std::string_view(head).substr(line, head.find(':', line) - line), name)) {
      head.erase(line, next - line);
      found = true;
    } else {
      line = next;
    }
  }
  if (found) append_field(head, name, value);
}

// 404: some servers hide behind it what the client may not see.
bool may_have_refused_credentials(int status) {
  return status == 401 || status == 403 || status == 404 || status == 407;
}

std::string_view via(int minor_version) {
  return minor_version == 1 ? "1.1 phoenix" : "1.0 phoenix";
}

}  // namespace

void write_forwarded_head(const Exchange& exchange, const ClientPeer& client,
                          std::optional<std::uint64_t> content_length, std::string& out) {
  const RequestHead& head = exchange.request;
  out.clear();
  out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  append_field(out, "Host", head.authority.empty() ? head.host : head.authority);
  for (const auto& field : head.fields) {
    if (is_hop_by_hop(field.name) || is_replaced_in_request(field.name, client.trusted) || head.nominates(field.name))
      continue;
    if (head.max_forwards && equals_ignoring_case(field.name, "max-forwards")) {
      fmt::format_to(std::back_inserter(out), "{}: {}\r\n", field.name,
                     std::max<std::uint64_t>(*head.max_forwards, 1) - 1);
      continue;
    }
    append_field(out, field.name, field.value);
  }
  append_forwarded(out, head, client);
  append_chain(out, head, "Via", via(head.minor_version));
  append_field(out, "X-Request-Id", exchange.request_id);
  append_field(out, "X-Phoenix-Exchange", exchange.id_text);
  if (!content_length) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (*content_length > 0 || head.framing.content_length || head.framing.chunked) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", *content_length);
  }
}

std::string_view serving_leg_tail() {
  return "X-Phoenix-Leg: serving\r\n\r\n";
}

std::string_view calibration_leg_tail() {
  return "X-Phoenix-Leg: calibration\r\n\r\n";
}

std::string_view expecting_leg_tail() {
  return "Expect: 100-continue\r\nX-Phoenix-Leg: serving\r\n\r\n";
}

void write_upgrade_tail(std::string_view protocol, std::string& out) {
  append_field(out, "Connection", "Upgrade");
  append_field(out, "Upgrade", protocol);
  out.append(serving_leg_tail());
}

void write_upgrade_head(const Exchange& exchange, const ResponseHead& head, std::string& out) {
  write_interim_head(head, out);
  out.resize(out.size() - 2);  // without its empty line
  append_field(out, "Connection", "Upgrade");
  append_field(out, "Upgrade", exchange.upgrade);
  append_field(out, "X-Request-Id", exchange.request_id);
  append_field(out, "X-Phoenix-Exchange", exchange.id_text);
  out.append("\r\n");
}

std::string shadow_leg_tail(std::string_view assigned_id) {
  std::string tail = "X-Phoenix-Leg: shadow\r\n";
  if (!assigned_id.empty()) append_field(tail, "X-Phoenix-Assigned-Id", assigned_id);
  return tail + "\r\n";
}

std::string write_shadow_leg(Exchange& exchange, const config::BackendConfig::ShadowAuth& auth, std::int64_t now_us) {
  constexpr std::int64_t kLateUs = 1'000'000;
  std::string tail = shadow_leg_tail(exchange.assigned_id);
  const Leg& serving = exchange.serving;
  if (serving.duration_us <= 0) return tail;  // its answer is still streaming
  const std::int64_t served_at_us = serving.sent_at_us + serving.duration_us;
  const std::int64_t late_us = now_us - served_at_us;
  if (late_us > kLateUs) {
    tail.resize(tail.size() - 2);  // without its empty line
    tail.append("X-Phoenix-Served-At: ");
    append_rfc3339_ms(tail, served_at_us);
    tail.append("\r\n\r\n");
  }
  const bool expired = late_us > std::chrono::microseconds(auth.after).count();
  if (auth.enabled() && expired && !may_have_refused_credentials(serving.head.status))
    replace_field(exchange.forwarded_head, auth.header, auth.value);
  return tail;
}

void write_response_head(const Exchange& exchange, const ResponseHead& head, ResponseFraming framing, bool keep_alive,
                         std::string& out) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", head.status, head.reason);
  bool has_request_id = false;
  bool has_date = false;
  for (const auto& field : head.fields) {
    if (is_hop_by_hop(field.name) || head.nominates(field.name) || starts_with_phoenix(field.name)) continue;
    // A HEAD or 304 answer may state the length that a body would have had; a 204 must not (RFC 9110, 8.6).
    const bool states_length = framing.kind == ResponseFraming::Kind::none && head.status != 204;
    if (equals_ignoring_case(field.name, "content-length") && !states_length) continue;
    has_date = has_date || equals_ignoring_case(field.name, "date");
    has_request_id = has_request_id || equals_ignoring_case(field.name, "x-request-id");
    append_field(out, field.name, field.value);
  }
  if (!has_date) append_field(out, "Date", http_date_now());
  append_field(out, "Via", via(head.minor_version));
  if (!has_request_id) append_field(out, "X-Request-Id", exchange.request_id);
  append_field(out, "X-Phoenix-Exchange", exchange.id_text);
  if (framing.kind == ResponseFraming::Kind::content_length)
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", framing.length);
  if (framing.kind == ResponseFraming::Kind::chunked) out.append("Transfer-Encoding: chunked\r\n");
  if (!keep_alive) {
    out.append("Connection: close\r\n");
  } else if (exchange.request.minor_version == 0) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

void write_interim_head(const ResponseHead& head, std::string& out) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", head.status, head.reason);
  for (const auto& field : head.fields) {
    if (is_hop_by_hop(field.name) || head.nominates(field.name) || starts_with_phoenix(field.name)) continue;
    if (!equals_ignoring_case(field.name, "content-length")) append_field(out, field.name, field.value);
  }
  append_field(out, "Via", via(head.minor_version));
  out.append("\r\n");
}

std::string last_recipient_response(std::string_view method, bool keep_alive) {
  // TRACE would send the client's credentials back to whatever script asked for it: not offered.
  std::string out =
      method == "OPTIONS" ? "HTTP/1.1 204 No Content\r\n" : "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n";
  append_field(out, "Date", http_date_now());
  append_field(out, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  if (!keep_alive) append_field(out, "Connection", "close");
  return out + "\r\n";
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

std::string problem_response(int status, std::string_view title, std::string_view detail, std::string_view exchange_id,
                             bool keep_alive, bool retry_after) {
  // Title and detail are our own fixed texts: nothing in them needs escaping.
  std::string body =
      fmt::format(R"({{"type":"about:blank","title":"{}","status":{},"detail":"{}")", title, status, detail);
  if (!exchange_id.empty()) body += fmt::format(R"(,"exchange_id":"{}")", exchange_id);
  body += "}\n";
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n",
                                status, reason_phrase(status), body.size());
  append_field(out, "Date", http_date_now());
  if (!exchange_id.empty()) append_field(out, "X-Phoenix-Exchange", exchange_id);
  if (retry_after) append_field(out, "Retry-After", "1");
  if (!keep_alive) append_field(out, "Connection", "close");
  return out + "\r\n" + body;
}

std::string_view valid_request_id(std::string_view value) {
  const bool valid = !value.empty() && value.size() <= 128 &&
                     std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return valid ? value : std::string_view();
}

}  // namespace phoenix::gateway
