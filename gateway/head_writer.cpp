#include "gateway/head_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "gateway/head_text.hpp"
#include "gateway/http_date.hpp"

namespace phoenix::gateway {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

std::string_view host_of(const RequestHead& head) {
  return head.authority.empty() ? head.host : head.authority;
}

// Of a request, not forwarded as they stand: removed, or written anew by us.
constexpr FieldSet kReplaced(FieldId::host, FieldId::content_length, FieldId::expect, FieldId::x_request_id,
                             FieldId::x_forwarded_for, FieldId::x_forwarded_proto, FieldId::x_forwarded_host,
                             FieldId::via, FieldId::x_phoenix);
// Of a client that is no trusted proxy.
constexpr FieldSet kUntrusted(FieldId::forwarded, FieldId::x_forwarded);

constexpr std::size_t kOwnBytes = 512;  // of names and fixed values in the fields that we write

bool stays_here(const HeaderField& field, const MessageHead& head) {
  return kHopByHop.has(field.id) || head.nominates(field.name);
}

// A field that proxies append to: all values so far, then ours. `name` with its colon and space.
void append_chain(HeadText& out, const RequestHead& head, FieldId id, std::string_view name, std::string_view own) {
  out.text(name);
  if (head.present.has(id)) {
    for (const auto& field : head.fields) {
      if (field.id == id) out.text(field.value).text(", ");
    }
  }
  out.text(own).text("\r\n");
}

// Who is trusted tells how the client came; of several values the first is the one nearest to the client.
std::string_view told_or(const RequestHead& head, const ClientPeer& peer, FieldId id, std::string_view name,
                         std::string_view own) {
  const std::string_view told = peer.trusted && !head.nominates(name) ? head.find(id) : std::string_view();
  return told.empty() ? own : told;
}

void append_forwarded(HeadText& out, const RequestHead& head, const ClientPeer& peer) {
  if (peer.trusted && !head.nominates("x-forwarded-for")) {
    append_chain(out, head, FieldId::x_forwarded_for, "X-Forwarded-For: ", peer.address);
  } else {
    out.field("X-Forwarded-For: ", peer.address);
  }
  out.field("X-Forwarded-Proto: ", told_or(head, peer, FieldId::x_forwarded_proto, "x-forwarded-proto", peer.protocol));
  const std::string_view host = told_or(head, peer, FieldId::x_forwarded_host, "x-forwarded-host", host_of(head));
  if (!host.empty()) out.field("X-Forwarded-Host: ", host);
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

void append_status_line(HeadText& out, const ResponseHead& head) {
  out.text("HTTP/1.1 ").number(static_cast<std::uint64_t>(head.status)).text(" ").text(head.reason).text("\r\n");
}

}  // namespace

void write_forwarded_head(const Exchange& exchange, const ClientPeer& client,
                          std::optional<std::uint64_t> content_length, std::string& out) {
  const RequestHead& head = exchange.request;
  const std::string_view host = host_of(head);
  out.clear();
  HeadText text(out, kOwnBytes + head.method.size() + head.target.size() + 2 * host.size() + HeadText::size_of(head) +
                         client.address.size() + client.protocol.size() + exchange.request_id.size() +
                         exchange.id_text.size());
  text.text(head.method).text(" ").text(head.target).text(" HTTP/1.1\r\n").field("Host: ", host);
  for (const auto& field : head.fields) {
    if (kReplaced.has(field.id) || (!client.trusted && kUntrusted.has(field.id)) || stays_here(field, head)) continue;
    if (head.max_forwards && field.id == FieldId::max_forwards) {
      const std::uint64_t left = std::max<std::uint64_t>(*head.max_forwards, 1) - 1;
      text.text(field.name).text(": ").number(left).text("\r\n");
    } else {
      text.keep(field);
    }
  }
  append_forwarded(text, head, client);
  append_chain(text, head, FieldId::via, "Via: ", via(head.minor_version));
  text.field("X-Request-Id: ", exchange.request_id).field("X-Phoenix-Exchange: ", exchange.id_text);
  if (!content_length) {
    text.text("Transfer-Encoding: chunked\r\n");
  } else if (*content_length > 0 || head.framing.content_length || head.framing.chunked) {
    text.text("Content-Length: ").number(*content_length).text("\r\n");
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

std::string_view shadow_leg_tail(std::string_view assigned_id, std::string& out) {
  if (assigned_id.empty()) return "X-Phoenix-Leg: shadow\r\n\r\n";
  out = "X-Phoenix-Leg: shadow\r\n";
  append_field(out, "X-Phoenix-Assigned-Id", assigned_id);
  return out.append("\r\n");
}

std::string_view write_shadow_leg(Exchange& exchange, const config::BackendConfig::ShadowAuth& auth,
                                  std::int64_t now_us, std::string& out) {
  constexpr std::int64_t kLateUs = 1'000'000;
  const std::string_view tail = shadow_leg_tail(exchange.assigned_id, out);
  const Leg& serving = exchange.serving;
  if (serving.duration_us <= 0) return tail;  // its answer is still streaming
  const std::int64_t served_at_us = serving.sent_at_us + serving.duration_us;
  const std::int64_t late_us = now_us - served_at_us;
  const bool expired = late_us > std::chrono::microseconds(auth.after).count();
  if (auth.enabled() && expired && !may_have_refused_credentials(serving.head.status))
    replace_field(exchange.forwarded_head, auth.header, auth.value);
  if (late_us <= kLateUs) return tail;
  if (exchange.assigned_id.empty()) out = tail;
  out.resize(out.size() - 2);  // without its empty line
  out.append("X-Phoenix-Served-At: ");
  append_rfc3339_ms(out, served_at_us);
  return out.append("\r\n\r\n");
}

void write_response_head(const Exchange& exchange, const ResponseHead& head, ResponseFraming framing, bool keep_alive,
                         std::string& out) {
  // A HEAD or 304 answer may state the length that a body would have had; a 204 must not (RFC 9110, 8.6).
  const bool states_length = framing.kind == ResponseFraming::Kind::none && head.status != 204;
  FieldSet kept;  // of those that we would add
  HeadText text(out, kOwnBytes + head.reason.size() + HeadText::size_of(head) + exchange.request_id.size() +
                         exchange.id_text.size());
  append_status_line(text, head);
  for (const auto& field : head.fields) {
    if (stays_here(field, head) || field.id == FieldId::x_phoenix) continue;
    if (field.id == FieldId::content_length && !states_length) continue;
    kept.add(field.id);
    text.keep(field);
  }
  if (!kept.has(FieldId::date)) text.field("Date: ", http_date_now());
  text.field("Via: ", via(head.minor_version));
  if (!kept.has(FieldId::x_request_id)) text.field("X-Request-Id: ", exchange.request_id);
  text.field("X-Phoenix-Exchange: ", exchange.id_text);
  if (framing.kind == ResponseFraming::Kind::content_length)
    text.text("Content-Length: ").number(framing.length).text("\r\n");
  if (framing.kind == ResponseFraming::Kind::chunked) text.text("Transfer-Encoding: chunked\r\n");
  if (!keep_alive) {
    text.text("Connection: close\r\n");
  } else if (exchange.request.minor_version == 0) {
    text.text("Connection: keep-alive\r\n");
  }
  text.text("\r\n");
}

void write_interim_head(const ResponseHead& head, std::string& out) {
  HeadText text(out, kOwnBytes + head.reason.size() + HeadText::size_of(head));
  append_status_line(text, head);
  for (const auto& field : head.fields) {
    if (field.id == FieldId::x_phoenix || field.id == FieldId::content_length || stays_here(field, head)) continue;
    text.keep(field);
  }
  text.field("Via: ", via(head.minor_version)).text("\r\n");
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
