// Turns changes into the JSON documents that the store's statements unpack with json_to_recordset: one parameter a
// table, however many rows. Internal to the store.
#pragma once

#include <string>

#include "arbiter/decision_core.hpp"

namespace phoenix::arbiter::rows {

std::string verdicts(const CoreChanges& changes);
std::string evidence(const CoreChanges& changes);
std::string split_keys(const CoreChanges& changes);
std::string counters(const CoreChanges& changes);
std::string accounts(const DecisionCore& core, const CoreChanges& changes);
std::string drift(const DecisionCore& core, const CoreChanges& changes);
std::string windows(const DecisionCore& core, const CoreChanges& changes);
std::string scores(const DecisionCore& core, const CoreChanges& changes);
std::string units(const CoreChanges& changes);
std::string seen(const CoreChanges& changes);
std::string cause_state(const CoreChanges& changes);
std::string groups(const CoreChanges& changes);
std::string opened(const DecisionCore& core, const CoreChanges& changes);
std::string closed(const DecisionCore& core, const CoreChanges& changes);
std::string no_drift(const DecisionCore& core, const CoreChanges& changes);
std::string retracted(const CoreChanges& changes);
std::string rejected(const CoreChanges& changes);
std::string heartbeats(const DecisionCore& core);
std::map<std::string, Heartbeat> read_heartbeats(const std::string& text);

}  // namespace phoenix::arbiter::rows
