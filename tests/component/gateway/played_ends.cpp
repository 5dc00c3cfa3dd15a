#include "played_ends.hpp"

#include <fmt/format.h>

namespace phoenix::test {

// --- client
// ------------------------------------------------------------------------------------------------------------

std::function<void(MemoryConnection&)> PlayedClient::playing() {
  return [this](MemoryConnection& connection) { on_change(connection); };
}

void PlayedClient::start(MemoryConnection& connection) {
  send_next(connection);
}

void PlayedClient::send_next(MemoryConnection& connection) {
  std::string bytes;
  do {
    bytes += scenario_.exchanges[sent_++].request;
  } while (sent_ < scenario_.exchanges.size() && scenario_.exchanges[sent_].pipelined);
  connection.say(bytes);
}

void PlayedClient::on_change(MemoryConnection& connection) {
  bytes_ += connection.received;
  connection.received.clear();
  ended_ = ended_ || connection.dead();
  while (malformed_.empty() && read_ < bytes_.size()) {
    if (answers_.size() == scenario_.exchanges.size()) {
      malformed_ = "bytes behind the last answer";
      return;
    }
    try {
      const auto& method = scenario_.exchanges[answers_.size()].method;
      StrictMessage message = read_strict_response(std::string_view(bytes_).substr(read_), method, ended_);
      if (!message.complete) break;
      read_ += message.size;
      (message.status() < 200 ? interim_ : answers_).push_back(std::move(message));
    } catch (const MalformedMessage& error) {
      malformed_ = error.what();
      return;
    }
  }
  if (answers_.size() < sent_ || ended_) return;
  if (sent_ < scenario_.exchanges.size()) {
    send_next(connection);
  } else {
    connection.finish();
  }
}

bool PlayedClient::accepted(std::size_t exchange) const {
  return exchange < answers_.size() && answers_[exchange].status() / 100 == 2;
}

bool PlayedClient::all_as_scripted() const {
  if (answers_.size() != scenario_.exchanges.size()) return false;
  int interim = 0;
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    const PlayedExchange& played = scenario_.exchanges[i];
    interim += played.interim;
    if (answers_[i].status() != played.status || answers_[i].body != played.answer_body) return false;
  }
  return static_cast<int>(interim_.size()) == interim;
}

void PlayedClient::check_answer(const StrictMessage& message, const PlayedExchange& played,
                                std::vector<std::string>& problems) const {
  const auto say = [&](const char* what) {
    problems.push_back(fmt::format("client: {} {}: {} ({}, {} bytes)", played.method, played.target, what,
                                   message.start, message.body.size()));
  };
  if (message.value("content-type") == "application/problem+json") {
    constexpr int kOwn[] = {400, 408, 502, 503, 504};
    if (std::find(std::begin(kOwn), std::end(kOwn), message.status()) == std::end(kOwn)) say("not a status of a fault");
    const bool whole = message.body.starts_with("{\"type\":") && message.body.ends_with("}\n");
    if (message.complete && played.method != "HEAD" && !whole) say("not a problem");
    return;
  }
  if (message.status() != played.status) say("another status than the backend's");
  if (!std::string_view(played.answer_body).starts_with(message.body)) say("bytes that are not the answer's");
  if (message.complete && message.body != played.answer_body && !played.open_ended) say("a cut answer looks complete");
  if (message.complete && played.malformed) say("a malformed answer looks complete");
}

std::vector<std::string> PlayedClient::problems(bool struck) const {
  std::vector<std::string> problems;
  if (!malformed_.empty()) problems.push_back("client: malformed: " + malformed_);
  if (bytes_.find(kMalformedMark) != std::string::npos) problems.push_back("client: malformed bytes of a backend");
  for (std::size_t i = 0; i < answers_.size(); ++i) check_answer(answers_[i], scenario_.exchanges[i], problems);
  for (const auto& interim : interim_) {
    if (interim.status() != 103 || interim.value("link") != "</a>") problems.push_back("client: interim response");
  }
  if (!malformed_.empty() || read_ == bytes_.size()) return problems;
  const PlayedExchange& cut = scenario_.exchanges[answers_.size()];
  const StrictMessage last = read_strict_response(std::string_view(bytes_).substr(read_), cut.method, ended_);
  if (last.head_complete) {
    check_answer(last, cut, problems);
  } else if (!struck) {
    problems.push_back("client: a head that breaks off");
  }
  return problems;
}

// --- backend
// -----------------------------------------------------------------------------------------------------------

std::function<void(MemoryConnection&)> PlayedBackend::answering() {
  return [this](MemoryConnection& connection) { on_change(connection); };
}

const PlayedExchange* PlayedBackend::exchange_of(const std::string& target) const {
  for (const auto& played : scenario_.exchanges) {
    if (played.target == target) return &played;
  }
  return nullptr;
}

int PlayedBackend::seen(const std::string& target) const {
  const auto found = seen_.find(target);
  return found == seen_.end() ? 0 : found->second;
}
int PlayedBackend::taken(const std::string& target) const {
  const auto found = taken_.find(target);
  return found == taken_.end() ? 0 : found->second;
}

void PlayedBackend::on_change(MemoryConnection& connection) {
  try {
    while (!connection.received.empty()) {
      const StrictMessage request = read_strict_request(connection.received);
      bool& noted = noted_[connection.number()];
      if (!noted && !request.start.empty()) {
        ++seen_[request.target()];
        noted = true;
      }
      if (!request.complete) return;
      noted = false;
      connection.received.erase(0, request.size);
      ++taken_[request.target()];
      const PlayedExchange* played = exchange_of(request.target());
      if (played == nullptr || played->method != request.method() || played->request_body != request.body) {
        problems_.push_back("not what the client sent: " + request.start);
        return;
      }
      connection.say(played->answer);
      if (played->answer_closes) connection.finish();
    }
  } catch (const MalformedMessage& error) {
    problems_.push_back(std::string("malformed request: ") + error.what());
    connection.received.clear();
  }
}

}  // namespace phoenix::test
