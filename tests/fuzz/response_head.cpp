#include "tests/fuzz/head_properties.hpp"

namespace phoenix::fuzz {
namespace {

using gateway::ResponseHead;

void check_response(std::string_view text, std::string_view method) {
  ResponseHead head;
  if (const auto error = parse_response_head(text, method, head)) {
    check(error->status == 502 && is_clean(error->reason) && !error->reason.empty(), "a refusal is a 502 and one line");
    return;
  }
  check_accepted(head);
  check(head.status >= 100 && head.status <= 599 && is_clean(head.reason), "the status line is clean");
  const bool bodyless = method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304;
  check(head.allows_body(method) == !bodyless, "who may have a body");
  check(head.close_delimited == (!bodyless && !head.framing.chunked && !head.framing.content_length),
        "only what has no framing ends with the connection");

  std::string spelled = head.minor_version == 1 ? "HTTP/1.1 " : "HTTP/1.0 ";
  spelled.append(std::to_string(head.status)).append(" ").append(head.reason).append("\r\n");
  spelled += spelled_fields(head);
  ResponseHead again;
  const std::string used = "HTTP/1.0 200 old\r\nConnection: close, x\r\nContent-Length: 9\r\n\r\n";
  check(!parse_response_head(used, "GET", again), "a head that was used before");
  check(!parse_response_head(spelled, method, again), "what was accepted is accepted again");
  check_same(head, again);
  check(head.status == again.status && head.reason == again.reason && head.close_delimited == again.close_delimited,
        "the same response");
}

}  // namespace

void response_head(std::string_view input) {
  const gateway::HeadEnd end = checked_head_end(input);
  if (end.state != gateway::HeadEnd::State::complete) return;
  for (const std::string_view method : {"GET", "HEAD"}) check_response(input.substr(0, end.length), method);
}

}  // namespace phoenix::fuzz
