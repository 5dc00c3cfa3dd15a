#include "tests/fuzz/head_properties.hpp"

namespace phoenix::fuzz {
namespace {

using gateway::RequestHead;

std::string spelled(const RequestHead& head) {
  std::string text(head.method);
  text.append(" ").append(head.authority.empty() ? "" : "http://").append(head.authority);
  if (head.authority.empty() || head.target != "*") text.append(head.target);  // OPTIONS of a URL without a path
  text.append(head.minor_version == 1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
  return text + spelled_fields(head);
}

void check_accepted_request(const RequestHead& head) {
  check_accepted(head);
  for (const std::string_view text : {head.method, head.target, head.authority, head.host})
    check(is_clean(text) && text.find(' ') == std::string_view::npos, "the request line and Host are clean");
  check(!head.method.empty() && !head.target.empty(), "a method and a target");
  check(head.method != "CONNECT", "a tunnel is never accepted");
  check(head.target.front() == '/' || (head.target == "*" && head.method == "OPTIONS"), "origin-form or *");
  check(count(head, "host") <= 1 && (head.minor_version == 0 || count(head, "host") == 1), "one Host");
  check(head.host == head.find("host"), "host is the field's value");
}

}  // namespace

void request_head(std::string_view input) {
  const gateway::HeadEnd end = checked_head_end(input);
  if (end.state != gateway::HeadEnd::State::complete) return;
  RequestHead head;
  if (const auto error = parse_request_head(input.substr(0, end.length), head)) {
    check(error->status >= 400 && error->status < 600 && is_clean(error->reason) && !error->reason.empty(),
          "a refusal has a status and one line");
    return;
  }
  check_accepted_request(head);

  const std::string text = spelled(head);
  RequestHead again;
  const std::string used =
      "PUT http://old/ HTTP/1.0\r\nConnection: close, x\r\nContent-Length: 9\r\nExpect: 100-continue\r\nUpgrade: "
      "y\r\n\r\n";
  check(!parse_request_head(used, again), "a head that was used before");
  check(!parse_request_head(text, again), "what was accepted is accepted again");
  check_same(head, again);
  check(head.method == again.method && head.target == again.target && head.authority == again.authority &&
            head.host == again.host && head.expects_continue == again.expects_continue && head.upgrade == again.upgrade,
        "the same request");
}

}  // namespace phoenix::fuzz
