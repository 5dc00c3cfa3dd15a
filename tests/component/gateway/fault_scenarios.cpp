#include "fault_scenarios.hpp"

#include <fmt/format.h>

namespace phoenix::test {
namespace {

constexpr const char* kDate = "Date: Sat, 01 Jan 2028 00:00:00 GMT\r\n";

// Bytes that differ from place to place, so that a repeated or lost piece shows.
std::string body_of(std::size_t bytes) {
  std::string body;
  for (int i = 0; body.size() < bytes; ++i) body += fmt::format("{:07d},", i);
  body.resize(bytes);
  return body;
}

std::string chunked(const std::string& body, std::size_t chunk_bytes) {
  std::string out;
  for (std::size_t at = 0; at < body.size(); at += chunk_bytes) {
    const std::string piece = body.substr(at, chunk_bytes);
    out += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
  }
  return out + "0\r\n\r\n";
}

std::string request_head(const std::string& method, const std::string& target, const std::string& fields) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: bank.test\r\n{}\r\n", method, target, fields);
}

std::string answer_head(const std::string& fields, const std::string& status = "200 OK") {
  return fmt::format("HTTP/1.1 {}\r\n{}{}\r\n", status, kDate, fields);
}

PlayedExchange get(const std::string& target, const std::string& body = "{\"balance\":\"12.00\"}") {
  PlayedExchange played;
  played.method = "GET";
  played.target = target;
  played.request = request_head("GET", target, "X-Request-Id: r1\r\n");
  played.answer = answer_head(fmt::format("Content-Length: {}\r\n", body.size())) + body;
  played.answer_body = body;
  return played;
}

PlayedExchange post(const std::string& target, const std::string& body = "{\"amount\":\"5.00\"}") {
  PlayedExchange played = get(target, "{\"done\":true}");
  played.method = "POST";
  played.request =
      request_head("POST", target, fmt::format("X-Request-Id: r2\r\nContent-Length: {}\r\n", body.size())) + body;
  played.request_body = body;
  return played;
}

PlayedExchange chunked_post(const std::string& target, const std::string& body, std::size_t chunk_bytes) {
  PlayedExchange played = post(target, body);
  played.request = request_head("POST", target, "Transfer-Encoding: chunked\r\n") + chunked(body, chunk_bytes);
  return played;
}

// A body beyond limits.shadow_body_bytes: to the serving side alone.
PlayedExchange streamed(PlayedExchange played) {
  played.shadowed = false;
  return played;
}

PlayedExchange chunked_answer(PlayedExchange played, std::size_t chunk_bytes) {
  played.answer = answer_head("Transfer-Encoding: chunked\r\n") + chunked(played.answer_body, chunk_bytes);
  return played;
}

PlayedExchange close_delimited(PlayedExchange played) {
  played.answer = answer_head("") + played.answer_body;
  played.answer_closes = true;
  played.open_ended = true;
  return played;
}

PlayedExchange head(const std::string& target) {
  PlayedExchange played = get(target, "");
  played.method = "HEAD";
  played.request = request_head("HEAD", target, "");
  played.answer = answer_head("Content-Length: 4711\r\n");
  return played;
}

PlayedExchange after_interim(PlayedExchange played) {
  played.answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + played.answer;
  played.interim = 1;
  return played;
}

PlayedExchange pipelined(PlayedExchange played) {
  played.pipelined = true;
  return played;
}

PlayedExchange malformed(PlayedExchange played, const std::string& answer) {
  played.answer = answer;
  played.answer_closes = true;
  played.malformed = true;
  return played;
}

std::vector<Scenario> malformed_answers() {
  const std::string mark = kMalformedMark;
  const PlayedExchange large = chunked_answer(get("/items/k/large", body_of(100'000)), 30'000);
  const std::string chunks = large.answer.substr(0, large.answer.size() - 5);  // without the last
  return {
      {"malformed status line", {malformed(get("/items/k/1"), "HTTP/1.1 2x0 " + mark + "\r\n\r\n")}, true},
      {"two lengths",
       {malformed(get("/items/k/1"), answer_head("Content-Length: 4\r\nContent-Length: 5\r\n") + mark)},
       true},
      {"malformed chunk size",
       {malformed(get("/items/k/1"), answer_head("Transfer-Encoding: chunked\r\n") + "4\r\ngood\r\nx\r\n" + mark)},
       true},
      {"malformed chunk in a streamed answer", {malformed(large, chunks + "x" + mark + "\r\n0\r\n\r\n")}, false},
      {"bytes behind the answer, then another request",
       {[&] {
          PlayedExchange played = get("/items/k/1");
          played.answer += mark;
          return played;
        }(),
        get("/items/k/2")},
       true},
  };
}

}  // namespace

std::vector<Scenario> fault_scenarios() {
  std::vector<Scenario> all{
      {"GET", {get("/items/k/1")}, true},
      {"POST with Content-Length", {post("/items/k/1")}, true},
      {"chunked POST", {chunked_post("/items/k/1", body_of(60), 25)}, true},
      {"POST without key", {post("/free/1")}, true},
      {"large upload with Content-Length", {streamed(post("/items/k/1", body_of(70'000)))}, false},
      {"large chunked upload", {streamed(chunked_post("/items/k/1", body_of(70'000), 9'000))}, false},
      {"large answer with Content-Length", {get("/items/k/1", body_of(150'000))}, false},
      {"large chunked answer", {chunked_answer(get("/items/k/1", body_of(150'000)), 30'000)}, false},
      {"large answer to a write",
       {[] {
         PlayedExchange played = chunked_answer(get("/items/k/1", body_of(100'000)), 30'000);
         const PlayedExchange write = post("/items/k/1");
         played.method = write.method;
         played.request = write.request;
         played.request_body = write.request_body;
         return played;
       }()},
       false},
      {"large both ways",
       {[] {
         PlayedExchange played = streamed(chunked_post("/items/k/1", body_of(50'000), 20'000));
         played.answer_body = body_of(100'000);
         return chunked_answer(played, 30'000);
       }()},
       false},
      {"chunked answer", {chunked_answer(get("/items/k/1", body_of(50)), 20)}, true},
      {"close-delimited answer", {close_delimited(get("/items/k/1"))}, true},
      {"large close-delimited answer", {close_delimited(get("/items/k/1", body_of(100'000)))}, false},
      {"HEAD", {head("/items/k/1")}, true},
      {"interim response", {after_interim(get("/items/k/1"))}, true},
      {"interim response to a write", {after_interim(post("/items/k/1"))}, true},
      {"keep-alive", {get("/items/k/1"), post("/items/k/2"), get("/items/k/3")}, true},
      {"keep-alive, a write behind an idle connection", {post("/items/k/1"), post("/items/k/2")}, true},
      {"pipelined", {get("/items/k/1"), pipelined(post("/items/k/2")), pipelined(get("/items/l/3"))}, true},
      {"HEAD, then a write", {head("/items/k/1"), post("/items/k/2")}, true},
  };
  for (auto& scenario : malformed_answers()) all.push_back(std::move(scenario));
  return all;
}

}  // namespace phoenix::test
