// Internal to core/events.
#pragma once

#include <memory>

#include "core/events/sqlite_event_log.hpp"

namespace phoenix::events {

std::unique_ptr<Consumer> make_sqlite_consumer(const SqliteLogOptions& options, ConsumerOptions consumer);

}  // namespace phoenix::events
