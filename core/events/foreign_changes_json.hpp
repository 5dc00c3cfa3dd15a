// Foreign changes of a score as JSON, as they stand in `consistency-scores` and in the orchestrator's status.
#pragma once

#include <array>
#include <string>

#include "core/events/control_events.hpp"

namespace phoenix {

/// `{"legacy": {"count": …, "minor_units": …}, "modern": …}`; a side without any is left out. `Json`: nlohmann's, with
/// whatever parameters.
template <class Json>
Json foreign_changes_json(const std::array<ForeignChanges, 2>& changes) {
  Json json = Json::object();
  for (const Side side : {Side::legacy, Side::modern}) {
    const ForeignChanges& of = changes[static_cast<std::size_t>(index(side))];
    if (of.count > 0) json[std::string(to_string(side))] = {{"count", of.count}, {"minor_units", of.minor_units}};
  }
  return json;
}

}  // namespace phoenix
