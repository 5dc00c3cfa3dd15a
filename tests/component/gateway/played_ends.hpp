// The client and the backends of a fault sweep: they play a scenario over connections in memory, record what reaches
// them and say what of it must not be.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "fault_scenarios.hpp"
#include "memory_network.hpp"
#include "strict_message.hpp"

namespace phoenix::test {

/// Sends the requests of a scenario, each when the answer before it is complete (pipelined ones at once), and closes.
class PlayedClient {
 public:
  explicit PlayedClient(const Scenario& scenario) : scenario_(scenario) {}
  [[nodiscard]] std::function<void(MemoryConnection&)> playing();
  void start(MemoryConnection& connection);

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::size_t answered() const { return answers_.size(); }
  /// The answer was a 2xx, complete.
  [[nodiscard]] bool accepted(std::size_t exchange) const;
  [[nodiscard]] bool all_as_scripted() const;
  /// `struck`: a fault was played on the client's own connection, which then may end anywhere.
  [[nodiscard]] std::vector<std::string> problems(bool struck) const;

 private:
  void on_change(MemoryConnection& connection);
  void send_next(MemoryConnection& connection);
  void check_answer(const StrictMessage& message, const PlayedExchange& played,
                    std::vector<std::string>& problems) const;
  const Scenario& scenario_;
  std::string bytes_;
  std::size_t read_ = 0;                // of bytes_: complete responses
  std::size_t sent_ = 0;                // exchanges
  std::vector<StrictMessage> answers_;  // complete and final
  std::vector<StrictMessage> interim_;
  bool ended_ = false;
  std::string malformed_;
};

/// Answers every complete request as its exchange says.
class PlayedBackend {
 public:
  explicit PlayedBackend(const Scenario& scenario) : scenario_(scenario) {}
  [[nodiscard]] std::function<void(MemoryConnection&)> answering();
  /// How often the beginning of a request for `target` has arrived,
  [[nodiscard]] int seen(const std::string& target) const;
  /// and how often all of it.
  [[nodiscard]] int taken(const std::string& target) const;
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

 private:
  void on_change(MemoryConnection& connection);
  [[nodiscard]] const PlayedExchange* exchange_of(const std::string& target) const;
  const Scenario& scenario_;
  std::map<int, bool> noted_;  // by connection: the request whose bytes are coming has been counted
  std::map<std::string, int> seen_, taken_;
  std::vector<std::string> problems_;
};

}  // namespace phoenix::test
