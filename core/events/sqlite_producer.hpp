// Internal to core/events.
#pragma once

#include <memory>

#include "core/events/sqlite_event_log.hpp"

namespace phoenix::events {

std::unique_ptr<Producer> make_sqlite_producer(const SqliteLogOptions& options);

}  // namespace phoenix::events
