// Builds exchange events for tests: one line an exchange.
#pragma once

#include <xxhash.h>

#include <string>

#include "core/events/event_log.hpp"
#include "core/events/exchange_event.hpp"
#include "core/model/exchange_id.hpp"

namespace phoenix::test {

inline LegRecord json_leg(int status, const std::string& body) {
  LegRecord leg;
  leg.outcome = LegOutcome::ok;
  leg.status = status;
  leg.headers = {{"Content-Type", "application/json"}};
  leg.body = body;
  leg.body_bytes = body.size();
  leg.body_hash = XXH3_64bits(body.data(), body.size());
  return leg;
}

/// A deposit-like write on `keys`, answered 200 by both sides, legacy serving.
inline ExchangeEvent exchange(std::uint64_t number, const std::string& legacy_body, const std::string& modern_body,
                              std::vector<KeySequence> keys = {}) {
  ExchangeEvent event;
  event.exchange_id = make_exchange_id(1'700'000'000'000 + number, number, number).to_string();
  event.gateway = "gw-1";
  event.incarnation = "first";
  event.sequence = number;
  event.received_at_us = 1'700'000'000'000'000 + static_cast<std::int64_t>(number) * 1'000;
  event.completed_at_us = event.received_at_us + 500;
  event.route = "deposits";
  event.slice = "payments";
  event.method = "POST";
  event.target = "/accounts/7/deposits";
  event.write = true;
  event.keys = std::move(keys);
  event.serving = json_leg(200, legacy_body);
  event.shadow = json_leg(200, modern_body);
  return event;
}

inline LogRecord record_of(const ExchangeEvent& event, std::int64_t offset = 0) {
  return {topics::kShadowRequests,
          0,
          offset,
          0,
          event.keys.empty() ? event.exchange_id : event.keys.front().key,
          encode(event)};
}

}  // namespace phoenix::test
