#include "gateway/calibrator.hpp"

#include <boost/algorithm/string/replace.hpp>
#include <utility>

#include "core/model/business_key.hpp"
#include "gateway/body_capture.hpp"
#include "gateway/event_loop.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/upstream.hpp"

namespace phoenix::gateway {
namespace {

/// A later repeat would meet another state of the account, or credentials that have expired.
constexpr std::int64_t kLatestUs = 1'000'000;

bool copy_leg(const Leg& from, std::string_view method, Leg& to) {
  to.head_text = from.head_text;
  if (parse_response_head(to.head_text, method, to.head)) return false;
  to.outcome = from.outcome;
  to.body = from.body;
  to.truncated = from.truncated;
  to.body_bytes = from.body_bytes;
  to.body_hash = from.body_hash;
  to.sent_at_us = from.sent_at_us;
  to.duration_us = from.duration_us;
  return true;
}

}  // namespace

void Calibrator::consider(const Exchange& exchange) {
  if (exchange.route->config.calibrate_basis_points == 0 || busy_ || !is_drawn(exchange)) return;
  ExchangePtr repeat = repeat_of(exchange);
  if (!repeat) return;
  busy_ = true;
  spawn(loop_.io, run(std::move(repeat)));
}

bool Calibrator::is_drawn(const Exchange& exchange) const {
  const Leg& legacy = exchange.serving_side() == Side::legacy ? exchange.serving : exchange.shadow;
  const bool comparable = exchange.request.is_safe() && exchange.excluded.empty() && exchange.dropped.empty() &&
                          exchange.body_complete && exchange.upgrade.empty() && accepted(legacy) && !legacy.cut;
  const bool fresh = unix_us() - exchange.received_at_us < kLatestUs;
  if (!comparable || !fresh || loop_.context.draining.load(std::memory_order_relaxed)) return false;
  return in_cohort(cohort_bucket(std::string_view(exchange.id_text), loop_.context.config.salt + "/calibrate"),
                   exchange.route->config.calibrate_basis_points);
}

ExchangePtr Calibrator::repeat_of(const Exchange& exchange) {
  ExchangePtr repeat = make_exchange();
  repeat->received_at_us = unix_us();
  repeat->id = make_exchange_id(static_cast<std::uint64_t>(repeat->received_at_us / 1000), loop_.random.next(),
                                loop_.random.next());
  repeat->id_text = repeat->id.to_string();
  repeat->request_id = exchange.request_id == exchange.id_text ? repeat->id_text : exchange.request_id;
  repeat->settings = exchange.settings;
  repeat->route = exchange.route;
  repeat->slice = exchange.slice;
  repeat->policy_epoch = exchange.policy_epoch;
  repeat->keys = exchange.keys;
  repeat->choice.target = Side::legacy;
  repeat->excluded = "calibration";
  repeat->calibration = true;
  repeat->loop = &loop_;
  repeat->head_text = exchange.head_text;
  repeat->body = exchange.body;
  repeat->body_bytes = exchange.body_bytes;
  repeat->body_hash = exchange.body_hash;
  repeat->forwarded_head =
      boost::algorithm::replace_all_copy(exchange.forwarded_head, exchange.id_text, repeat->id_text);
  const Leg& legacy = exchange.serving_side() == Side::legacy ? exchange.serving : exchange.shadow;
  const bool whole = !parse_request_head(repeat->head_text, repeat->request) &&
                     copy_leg(legacy, repeat->request.method, repeat->serving);
  if (!whole) repeat.reset();
  return repeat;
}

Awaitable<void> Calibrator::run(ExchangePtr repeat) {
  const UpstreamPtr upstream = loop_.shadow_upstream[static_cast<std::size_t>(index(Side::legacy))];
  // An answer that cannot be had says nothing of noise.
  if (co_await ask_again(*repeat, *upstream)) loop_.context.publisher.publish_repeat(*repeat);
  busy_ = false;
}

Awaitable<bool> Calibrator::ask_again(Exchange& repeat, Upstream& upstream) {
  Acquired acquired = co_await upstream.acquire(repeat);
  if (!acquired.connection) co_return false;
  ConnectionPtr connection = std::move(acquired.connection);
  Leg& leg = repeat.shadow;
  leg.sent_at_us = unix_us();
  const auto started = std::chrono::steady_clock::now();
  leg.outcome = co_await upstream.send_request(*connection, repeat.forwarded_head, calibration_leg_tail(), repeat.body);
  if (leg.outcome == LegOutcome::ok) leg.outcome = co_await upstream.read_head(*connection, repeat.request.method, leg);
  if (leg.outcome != LegOutcome::ok || leg.head.is_event_stream()) co_return false;
  ResponseBody body(*connection, leg.head, repeat.request.method);
  const auto& limits = repeat.settings->gateway.limits;
  BodyCapture capture(leg, limits.capture_bytes);
  const auto until = started + upstream.timeouts().response;
  std::string window;
  while (!body.finished()) {
    window.clear();
    if (co_await body.read_some(window, upstream.timeouts().idle) == ResponseBody::State::failed) co_return false;
    capture.add(window);
    const bool too_long = limits.shadow_response_bytes > 0 && leg.body_bytes > limits.shadow_response_bytes;
    if (too_long || std::chrono::steady_clock::now() > until) co_return false;
  }
  capture.finish();
  leg.duration_us =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started).count();
  if (body.reusable()) upstream.release(std::move(connection));
  co_return true;
}

}  // namespace phoenix::gateway
