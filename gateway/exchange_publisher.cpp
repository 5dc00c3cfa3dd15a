#include "gateway/exchange_publisher.hpp"

#include <xxhash.h>

#include <algorithm>
#include <chrono>

#include "gateway/event_loop.hpp"
#include "gateway/journal.hpp"

namespace phoenix::gateway {
namespace {

LegRecord record_of(Leg& leg, bool write, const Redactor& redactor) {
  LegRecord record;
  record.outcome = leg.outcome;
  record.status = leg.status();
  record.uncertain = write && is_uncertain(leg);
  record.sent_at_us = leg.sent_at_us;
  record.duration_us = leg.duration_us;
  record.body_bytes = leg.body_bytes;
  record.body_hash = leg.body_hash;
  record.truncated = leg.truncated;
  record.cut = leg.cut;
  const bool has_head = leg.outcome == LegOutcome::ok;
  if (has_head) record.headers = redactor.headers(leg.head);
  record.body = std::move(leg.body);
  redactor.body({record.body, record.truncated, record.body_hash},
                has_head ? leg.head.find("content-type") : std::string_view());
  return record;
}

// Traffic that is not under migration is counted, not published.
bool is_outside(std::string_view excluded) {
  return excluded == "unmatched" || excluded == "bypass" || excluded == "retired";
}

}  // namespace

void measure_body(Exchange& exchange) {
  exchange.body_bytes = exchange.body_complete ? exchange.body.size()
                                               : exchange.request.framing.content_length.value_or(exchange.body.size());
  exchange.body_hash = exchange.body.empty() ? 0 : XXH3_64bits(exchange.body.data(), exchange.body.size());
}

std::int64_t unix_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

ExchangePublisher::ExchangePublisher(EventSink& events, std::string gateway_id, std::string incarnation,
                                     const std::vector<std::string>& slice_names, std::vector<int> slice_partitions,
                                     AccessLog& access_log)
    : events_(events),
      gateway_id_(std::move(gateway_id)),
      incarnation_(std::move(incarnation)),
      slice_names_(slice_names),
      slice_partitions_(std::move(slice_partitions)),
      access_log_(access_log) {}

ExchangeEvent ExchangePublisher::event_of(Exchange& exchange) {
  const Redactor& redactor = exchange.settings->redactor;
  ExchangeEvent event;
  event.exchange_id = exchange.id_text;
  event.request_id = exchange.request_id;
  event.gateway = gateway_id_;
  event.incarnation = incarnation_;
  event.sequence = sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
  event.received_at_us = exchange.received_at_us;
  event.completed_at_us = unix_us();
  event.route = exchange.route->name;
  event.slice = slice_names_[static_cast<std::size_t>(exchange.route->slice_index)];
  event.method = exchange.request.method;
  event.target = redactor.target(exchange.request.target);
  event.write = exchange.write();
  for (std::size_t i = 0; i < exchange.keys.size(); ++i) {
    event.keys.push_back({exchange.keys[i], i < exchange.ticket.sequences.size() ? exchange.ticket.sequences[i] : 0});
  }
  event.target_side = exchange.fell_back ? Side::modern : exchange.choice.target;
  event.parachute = exchange.fell_back;
  event.forced = exchange.forced;
  event.calibration = exchange.calibration;
  event.serving_side = exchange.serving_side();
  event.stage = exchange.slice.stage;
  event.policy_epoch = exchange.policy_epoch;
  event.rung = exchange.slice.rung;
  event.overlap = exchange.gated && exchange.ticket.overlapped();
  event.excluded = exchange.excluded;
  event.dropped = exchange.dropped;
  event.request_headers = redactor.headers(exchange.request);
  event.request_body_bytes = exchange.body_bytes;
  event.request_body_hash = exchange.body_hash;
  const std::size_t capture_bytes = exchange.settings->gateway.limits.capture_bytes;
  event.request_truncated = !exchange.body_complete || exchange.body.size() > capture_bytes;
  if (exchange.body.size() > capture_bytes) exchange.body.resize(capture_bytes);
  event.request_body = std::move(exchange.body);
  redactor.body({event.request_body, event.request_truncated, event.request_body_hash},
                exchange.request.find("content-type"));
  event.serving = record_of(exchange.serving, event.write, redactor);
  event.shadow = record_of(exchange.shadow, event.write, redactor);
  return event;
}

void ExchangePublisher::finish(Exchange& exchange, EventLoop& loop) {
  Account& account = *loop.counters.accounts[static_cast<std::size_t>(exchange.route->index)];
  UnsettledList::remove(exchange);
  if (is_outside(exchange.excluded)) {
    account.excluded.count(exchange.excluded);
  } else {
    publish(exchange, account, loop.number());
  }
  loop.context.journal.done(exchange.journaled);
  if (exchange.access_logged) log(exchange);
}

// The event first, with the count that goes with it: should the process die in between, the next one counts it.
void ExchangePublisher::publish(Exchange& exchange, Account& account, std::uint32_t loop) {
  std::size_t column = Account::kHandedOver;
  if (!exchange.excluded.empty()) {
    column = Account::kFirstExcluded + decltype(account.excluded)::position(exchange.excluded);
  } else if (!exchange.dropped.empty()) {
    column = Account::kFirstDropped + decltype(account.dropped)::position(exchange.dropped);
  }
  const std::uint64_t value = account.columns()[column] + 1;
  const bool published = publish(
      exchange, {loop, static_cast<std::uint32_t>(exchange.route->index), static_cast<std::uint32_t>(column), value});
  if (published || column != Account::kHandedOver) {
    account.columns()[column] = value;
    return;
  }
  exchange.dropped = "event_log_full";
  account.dropped.count(exchange.dropped);
}

bool ExchangePublisher::publish(Exchange& exchange, const EventCount& count) {
  const ExchangeEvent event = event_of(exchange);
  const std::string_view key = event.keys.empty() ? event.exchange_id : event.keys.front().key;
  return events_.publish(exchange.id, count, slice_partitions_[static_cast<std::size_t>(exchange.route->slice_index)],
                         key, encode(event));
}

void ExchangePublisher::publish_lost(Exchange& exchange) {
  exchange.dropped = kLost;
  publish(exchange, EventCount{});
}

void ExchangePublisher::publish_repeat(Exchange& exchange) {
  publish(exchange, EventCount{});
}

void ExchangePublisher::log(const Exchange& exchange) {
  const int slice = exchange.route->slice_index;
  access_log_.write(
      access_line(exchange, slice < 0 ? std::string_view() : slice_names_[static_cast<std::size_t>(slice)]));
}

}  // namespace phoenix::gateway
