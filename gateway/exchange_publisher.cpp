#include "gateway/exchange_publisher.hpp"

#include <algorithm>
#include <chrono>

#include "gateway/body_hash.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/journal.hpp"

namespace phoenix::gateway {
namespace {

// What an event is made of, kept for its memory: an event loop publishes every exchange.
struct Draft {
  ExchangeEventView event;
  ReplacedTexts replaced;
  std::string header;
};
Draft& draft() {
  thread_local Draft kept;
  kept.replaced.clear();
  return kept;
}

using LegView = BasicLegRecord<std::string_view>;

// The body is redacted where it stands: nobody else looks at it any more.
void fill_leg(LegView& record, Leg& leg, bool write, const Redactor& redactor, ReplacedTexts& replaced) {
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
  record.headers.clear();
  if (has_head) redactor.headers(leg.head, record.headers, replaced);
  redactor.body({leg.body, record.truncated, record.body_hash},
                has_head ? leg.head.find(FieldId::content_type) : std::string_view());
  record.body = leg.body;
}

void fill_keys(std::vector<BasicKeySequence<std::string_view>>& keys, const Exchange& exchange) {
  const auto& sequences = exchange.ticket.sequences;
  keys.clear();
  for (std::size_t i = 0; i < exchange.keys.size(); ++i)
    keys.push_back({exchange.keys[i], i < sequences.size() ? sequences[i] : 0});
}

void fill_request(ExchangeEventView& event, Exchange& exchange, ReplacedTexts& replaced) {
  const Redactor& redactor = exchange.settings->redactor;
  const std::size_t capture_bytes = exchange.settings->gateway.limits.capture_bytes;
  event.method = exchange.request.method;
  event.target = redactor.target(exchange.request.target, replaced);
  event.write = exchange.write();
  redactor.headers(exchange.request, event.request_headers, replaced);
  event.request_body_bytes = exchange.body_bytes;
  event.request_body_hash = exchange.body_hash;
  event.request_truncated = !exchange.body_complete || exchange.body.size() > capture_bytes;
  if (exchange.body.size() > capture_bytes) exchange.body.resize(capture_bytes);
  redactor.body({exchange.body, event.request_truncated, event.request_body_hash},
                exchange.request.find(FieldId::content_type));
  event.request_body = exchange.body;
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

void ExchangePublisher::fill(ExchangeEventView& event, Exchange& exchange, ReplacedTexts& replaced) {
  event.exchange_id = exchange.id_text;
  event.request_id = exchange.request_id;
  event.gateway = gateway_id_;
  event.incarnation = incarnation_;
  event.sequence = sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
  event.received_at_us = exchange.received_at_us;
  event.completed_at_us = unix_us();
  event.route = exchange.route->name;
  event.slice = slice_names_[static_cast<std::size_t>(exchange.route->slice_index)];
  fill_keys(event.keys, exchange);
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
  fill_request(event, exchange, replaced);
  fill_leg(event.serving, exchange.serving, event.write, exchange.settings->redactor, replaced);
  fill_leg(event.shadow, exchange.shadow, event.write, exchange.settings->redactor, replaced);
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
  Draft& kept = draft();
  fill(kept.event, exchange, kept.replaced);
  const std::string_view key = kept.event.keys.empty() ? kept.event.exchange_id : kept.event.keys.front().key;
  return events_.publish(exchange.id, count, slice_partitions_[static_cast<std::size_t>(exchange.route->slice_index)],
                         key, encode(kept.event, kept.header));
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
