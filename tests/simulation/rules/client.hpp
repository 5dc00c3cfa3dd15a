// A client in a closed loop that acts on what it was told: it spends what it believes to be there, reads after it
// wrote, and looks again when it could not know. It never sends a request twice.
#pragma once

#include <map>

#include "tests/simulation/rules/world.hpp"

namespace phoenix::simulation {

class Client {
 public:
  Client(World& world, std::uint64_t seed) : world_(world), dice_(seed) {}
  void start() { think(); }

 private:
  void think();
  void act();
  Operation next_operation();
  Operation spend();
  int any_account();
  void told(const Operation& operation, const Answer& answer);

  World& world_;
  Dice dice_;
  std::map<int, std::int64_t> believed_;  // balance, by account
  int look_at_ = 0;                       // account to read next
};

}  // namespace phoenix::simulation
