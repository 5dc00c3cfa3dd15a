// An event as the gateway publishes it: its texts stand elsewhere, here in an ExchangeEvent.
#pragma once

#include <string>
#include <string_view>

#include "core/events/exchange_event.hpp"

namespace phoenix::test {

inline BasicLegRecord<std::string_view> view_of(const LegRecord& leg) {
  BasicLegRecord<std::string_view> view{
      leg.outcome,   leg.status, leg.uncertain, leg.sent_at_us, leg.duration_us, leg.body_bytes, leg.body_hash,
      leg.truncated, {},         leg.body,      leg.cut};
  view.headers.assign(leg.headers.begin(), leg.headers.end());
  return view;
}

inline ExchangeEventView view_of(const ExchangeEvent& event) {
  ExchangeEventView view;
  view.exchange_id = event.exchange_id;
  view.request_id = event.request_id;
  view.gateway = event.gateway;
  view.incarnation = event.incarnation;
  view.sequence = event.sequence;
  view.received_at_us = event.received_at_us;
  view.completed_at_us = event.completed_at_us;
  view.route = event.route;
  view.slice = event.slice;
  view.method = event.method;
  view.target = event.target;
  view.write = event.write;
  for (const auto& key : event.keys) view.keys.push_back({key.key, key.sequence});
  view.target_side = event.target_side;
  view.serving_side = event.serving_side;
  view.stage = event.stage;
  view.policy_epoch = event.policy_epoch;
  view.rung = event.rung;
  view.overlap = event.overlap;
  view.parachute = event.parachute;
  view.forced = event.forced;
  view.excluded = event.excluded;
  view.dropped = event.dropped;
  view.request_headers.assign(event.request_headers.begin(), event.request_headers.end());
  view.request_body_bytes = event.request_body_bytes;
  view.request_body_hash = event.request_body_hash;
  view.request_truncated = event.request_truncated;
  view.request_body = event.request_body;
  view.serving = view_of(event.serving);
  view.shadow = view_of(event.shadow);
  return view;
}

inline std::string joined(const EventFrame& frame) {
  std::string out(frame.header);
  return out.append(frame.request_body).append(frame.serving_body).append(frame.shadow_body);
}

}  // namespace phoenix::test
