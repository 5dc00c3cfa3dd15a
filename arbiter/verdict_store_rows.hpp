// Turns changes into the parameters of the store's statements, however many rows: a JSON document that is unpacked with
// json_to_recordset, or, where there is a row for each exchange, an array for each column (none: there are no rows).
// Internal to the store.
#pragma once

#include <string>
#include <vector>

#include "arbiter/decision_core.hpp"

namespace phoenix::arbiter::rows {

std::string verdicts(const CoreChanges& changes);
std::string evidence(const CoreChanges& changes);
std::string late_postings(const CoreChanges& changes);
std::string split_keys(const CoreChanges& changes);
std::string counters(const CoreChanges& changes);
std::vector<std::string> accounts(const DecisionCore& core, const CoreChanges& changes);
std::string drift(const DecisionCore& core, const CoreChanges& changes);
std::string windows(const DecisionCore& core, const CoreChanges& changes);
std::string scores(const DecisionCore& core, const CoreChanges& changes);
std::string units(const CoreChanges& changes);
std::string seen(const CoreChanges& changes);
void read_seen(const std::string& text, std::vector<std::pair<std::int64_t, std::string>>& seen);
std::string cause_state(const CoreChanges& changes);
std::string groups(const CoreChanges& changes);
/// What a late posting needs to correct verdicts.
std::string decided(const DecisionCore& core, const CoreChanges& changes);
void read_decided(const std::string& text, std::unordered_map<std::string, DecidedExchange>& decided);
std::string noise(const DecisionCore& core, const CoreChanges& changes);
std::vector<std::string> opened(const DecisionCore& core, const CoreChanges& changes);
/// Those that were stored open before, and changed.
std::vector<std::string> still_open(const DecisionCore& core, const CoreChanges& changes);
std::vector<std::string> closed(const DecisionCore& core, const CoreChanges& changes);
std::string no_drift(const DecisionCore& core, const CoreChanges& changes);
std::string retracted(const CoreChanges& changes);
std::string rejected(const CoreChanges& changes);
/// Where both change streams stand; empty in query mode.
std::string streams(const DecisionCore& core);
std::string heartbeats(const DecisionCore& core);
std::map<std::string, Heartbeat> read_heartbeats(const std::string& text);

}  // namespace phoenix::arbiter::rows
