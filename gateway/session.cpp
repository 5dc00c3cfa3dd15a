// One exchange after another on one client connection:
//   read -> match and choose -> admit (order, currency) -> forward to the serving side -> respond -> record and shadow.
// Everything that decides is a pure function elsewhere; everything that waits is awaited here.
#include "gateway/session.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "gateway/access_log.hpp"
#include "gateway/admission.hpp"
#include "gateway/client_connection.hpp"
#include "gateway/exchange_publisher.hpp"
#include "gateway/head_writer.hpp"
#include "gateway/journal.hpp"
#include "gateway/parachute.hpp"
#include "gateway/responder.hpp"
#include "gateway/serving_leg.hpp"
#include "gateway/settlement.hpp"
#include "gateway/side_override.hpp"

namespace phoenix::gateway {
namespace {

class Session {
 public:
  Session(StreamPtr stream, ClientPeer peer, EventLoop& loop)
      : loop_(loop), context_(loop.context), client_(std::move(stream), std::move(peer), loop) {}

  // What waits here for the next request is all that an idle client costs: this frame, the session, and its read.
  static Awaitable<void> run(std::unique_ptr<Session> session) {
    ClientConnection& client = session->client_;
    bool open = true;
    while (open && !session->drains()) {
      if (!client.next_has_begun() && !co_await client.wait_for_request()) break;
      open = co_await session->serve_one();
    }
    if (client.body_done()) {
      co_await client.end_tls();
    } else {
      co_await client.close_gently();  // answered before all of the request was read
    }
  }

 private:
  [[nodiscard]] bool drains() const { return context_.draining.load(std::memory_order_relaxed) && served_any_; }

  // --- read ------------------------------------------------------------------------------------------------------
  Awaitable<bool> serve_one() {
    auto exchange = make_exchange();
    const ReadResult head = co_await client_.read_head(*exchange);
    if (!head.ok) co_return co_await reject(*exchange, head);
    served_any_ = true;
    const SideOverride forced = take_override(exchange->request, exchange->settings->gateway.side_override);
    const ReadResult forbidden{false, 403, forced.refusal};
    blank(exchange->head_text, forced.token);
    if (!forced.refusal.empty()) co_return co_await reject(*exchange, forbidden);
    exchange->override_side = forced.side;
    if (exchange->request.max_forwards == 0u) co_return co_await answer_as_last(*exchange);
    begin(*exchange);
    const ReadResult body = co_await read_body(*exchange, ServingLeg::asks_backend_first(*exchange));
    if (!body.ok) {
      exchange->excluded =
          choose_side(exchange->slice, *exchange->route, exchange->request.is_safe(), KeyState::none_configured, 0)
              .excluded;
      if (exchange->excluded.empty()) exchange->excluded = "client_aborted";
      exchange->serving.head.status = body.status;  // for the access log
      context_.publisher.finish(*exchange, loop_);
      co_return co_await reject(*exchange, body);
    }
    prepare(*exchange);
    const bool keep = co_await exchange_with_backend(exchange);
    co_return keep;
  }

  // The journal keeps heads as they came.
  static void blank(std::string& head_text, std::string_view secret) {
    if (!secret.empty())
      head_text.replace(static_cast<std::size_t>(secret.data() - head_text.data()), secret.size(), secret.size(), '*');
  }

  Awaitable<ReadResult> read_body(Exchange& exchange, bool backend_asks) {
    const ReadResult allowed = client_.begin_body(exchange);
    if (!allowed.ok || client_.body_done()) co_return allowed;
    if (backend_asks && !client_.has_unread()) {
      exchange.body_withheld = true;
      exchange.body_complete = exchange.request.framing.content_length.value_or(UINT64_MAX) <=
                               exchange.settings->gateway.limits.shadow_body_bytes;
      co_return allowed;
    }
    const bool asked = exchange.request.expects_continue && exchange.request.minor_version == 1;
    if (asked && !co_await client_.ask_for_body()) co_return ReadResult{};
    co_return co_await client_.read_body(exchange);
  }

  // Nothing of a refused request reaches a backend, and its connection is closed: where it ends cannot be trusted.
  Awaitable<bool> reject(const Exchange& exchange, ReadResult result) {
    if (result.status != 0) {
      ++loop_.counters.rejected[std::to_string(result.status)];
      log_refusal(exchange, result.status, result.reason);
      co_await client_.write(
          Responder::problem_for(exchange, result.status, reason_phrase(result.status), result.reason, false));
      co_await client_.close_gently();
    }
    co_return false;
  }

  // Max-Forwards: 0. No exchange: neither backend learns of it.
  Awaitable<bool> answer_as_last(Exchange& exchange) {
    const ReadResult body = co_await read_body(exchange, false);
    if (!body.ok) co_return co_await reject(exchange, body);
    const bool keep = responder_.wants_keep_alive(exchange);
    const std::string answer = last_recipient_response(exchange.request.method, keep);
    log_refusal(exchange, exchange.request.method == "OPTIONS" ? 204 : 405, "Max-Forwards is 0");
    co_return co_await client_.write(answer) && keep;
  }

  // An exchange has its line when it ends (ExchangePublisher::finish).
  void log_refusal(const Exchange& exchange, int status, std::string_view reason) {
    if (!exchange.id_text.empty() || loop_.settings->gateway.access_log.path.empty()) return;
    context_.access_log.write(refusal_line(exchange, client_.peer().address, unix_us(), status, reason));
  }

  void begin(Exchange& exchange) {
    exchange.loop = &loop_;
    exchange.received_at_us = unix_us();
    exchange.id = make_exchange_id(static_cast<std::uint64_t>(exchange.received_at_us / 1000), loop_.random.next(),
                                   loop_.random.next());
    exchange.id_text.resize(36);
    exchange.id.format_to(exchange.id_text.data());
    const std::string_view request_id = valid_request_id(exchange.request.find("x-request-id"));
    exchange.request_id.assign(request_id.empty() ? std::string_view(exchange.id_text) : request_id);
    exchange.access_logged = wants_access_line(exchange.settings->gateway.access_log, exchange.id_text);
    if (exchange.access_logged) exchange.client_address = client_.peer().address;
    exchange.route = &exchange.settings->routes.match(exchange.request.method, exchange.request.target);
    ++loop_.counters.accounts[static_cast<std::size_t>(exchange.route->index)]->received;
    if (!exchange.route->is_unmatched)
      exchange.sequencer = context_.sequencers[static_cast<std::size_t>(exchange.route->slice_index)].get();
    exchange.upgrade = allowed_upgrade(exchange);
    read_policy(exchange);
  }

  static std::string_view allowed_upgrade(const Exchange& exchange) {
    if (exchange.request.upgrade.empty() || exchange.request.method != "GET" || exchange.request.has_body()) return {};
    for (const auto& protocol : exchange.settings->gateway.upgrade) {
      if (equals_ignoring_case(protocol, exchange.request.upgrade)) return exchange.request.upgrade;
    }
    return {};
  }

  // --- match and choose --------------------------------------------------------------------------------------------

  void read_policy(Exchange& exchange) {
    const PolicySnapshot& policy = context_.policy.current();
    exchange.policy_epoch = policy.epoch;
    if (!exchange.route->is_unmatched)
      exchange.slice = policy.slices[static_cast<std::size_t>(exchange.route->slice_index)];
    if (!exchange.settings->has_modern()) exchange.slice.stage = Stage::bypass;
  }

  void prepare(Exchange& exchange) {
    const auto& limits = exchange.settings->gateway.limits;
    measure_body(exchange);
    const bool body_readable = exchange.body_complete && exchange.body.size() <= limits.key_body_bytes;
    ExtractedKeys extracted =
        RouteTable::keys_of(*exchange.route, exchange.request,
                            body_readable ? std::string_view(exchange.body) : std::string_view(), limits.max_keys);
    exchange.keys = std::move(extracted.keys);
    exchange.key_state = extracted.state;
    bucket_ = exchange.key_state == KeyState::available
                  ? cohort_bucket(exchange.keys, context_.config.salt)
                  : cohort_bucket(std::string_view(exchange.id_text), context_.config.salt);
    choose(exchange);
    if (exchange.forced) ++loop_.counters.routes[static_cast<std::size_t>(exchange.route->index)].overrides;
    if (exchange.excluded.empty()) loop_.unsettled.add(exchange);
    const bool length_known = exchange.body_complete && !exchange.body_withheld;
    const std::optional<std::uint64_t> length =
        length_known ? std::optional<std::uint64_t>(exchange.body.size()) : exchange.request.framing.content_length;
    write_forwarded_head(exchange, client_.peer(), length, exchange.forwarded_head);
  }

  void choose(Exchange& exchange) {
    exchange.dropped = {};
    if (exchange.upgrade.empty()) {
      exchange.choice =
          choose_side(exchange.slice, *exchange.route, exchange.request.is_safe(), exchange.key_state, bucket_);
    } else {
      exchange.choice = choose_tunnel_side(exchange.slice, *exchange.route, exchange.key_state);
    }
    if (exchange.choice.shadow && !exchange.write() && !is_sampled(exchange)) {
      exchange.choice.shadow = false;
      exchange.choice.excluded = "not_sampled";
    }
    if (exchange.choice.shadow && !exchange.body_complete) {
      exchange.choice.shadow = false;
      exchange.choice.excluded = "body_too_large";
    }
    // A write that the other side would not get is not forced: it would make keys of real clients incomplete there, all
    // of them where its own cannot be had.
    const bool harmless = !exchange.write() || exchange.choice.shadow;
    exchange.forced = harmless && override_counts(exchange, exchange.slice);
    if (exchange.forced) exchange.choice.target = *exchange.override_side;
    exchange.excluded = exchange.choice.excluded;
  }

  // By a hash of its own: which reads are compared says nothing about which side they are served by.
  [[nodiscard]] bool is_sampled(const Exchange& exchange) const {
    const std::uint32_t share = exchange.route->config.shadow_sample_basis_points;
    if (share >= kBasisPoints) return true;
    return in_cohort(cohort_bucket(std::string_view(exchange.id_text), context_.config.salt + "/shadow_sample"), share);
  }

  // --- forward -----------------------------------------------------------------------------------------------------

  Awaitable<bool> exchange_with_backend(ExchangePtr& exchange) {
    while (true) {
      if (!co_await admit(*exchange, loop_)) co_return co_await refuse(exchange);
      if (!put_on_record(*exchange)) {
        if (exchange->gated) exchange->sequencer->abandon(exchange->ticket);
        exchange->override_side.reset();
        choose(*exchange);
        continue;
      }
      const UpstreamPtr upstream = loop_.serving[static_cast<std::size_t>(index(exchange->serving_side()))];
      const auto started = std::chrono::steady_clock::now();
      Acquired acquired = co_await upstream->acquire(*exchange);
      bool failed = false;
      while (!failed && may_still_serve(*exchange, context_.policy)) {
        exchange->serving.outcome = LegOutcome::connect_failed;
        if (acquired.connection)
          exchange->serving.outcome = co_await leg_.send_and_read_head(*exchange, *upstream, *acquired.connection);
        if (may_send_again(*exchange, acquired.connection)) {
          acquired.connection.reset();  // its place is free before another is asked for
          acquired = co_await upstream->acquire(*exchange);
          continue;
        }
        const auto keep = co_await responder_.respond(exchange, *upstream, std::move(acquired.connection), started);
        if (keep) co_return *keep;
        failed = true;
        if (leg_.client_broke_off() ||
            !may_fall_back(*exchange, stage_now(*exchange, context_.policy), std::chrono::steady_clock::now()))
          co_return co_await responder_.respond_failed(exchange, acquired.refusal, started);
      }
      if (acquired.connection) upstream->release(std::move(acquired.connection));
      if (exchange->gated) exchange->sequencer->abandon(exchange->ticket);
      if (failed) {
        fall_back(*exchange, loop_.counters, started);
      } else {
        read_policy(*exchange);
        choose(*exchange);
      }
    }
  }

  // Before its first byte leaves. A write that cannot be put on record is served all the same: the shadow goes without,
  // which is on record. False: a person forced it to its side, and that is not worth an incomplete key.
  bool put_on_record(Exchange& exchange) {
    // What another side may have seen of it stays on record until this stands there.
    Journaled earlier = std::exchange(exchange.journaled, {});
    const bool on_record = !needs_record(exchange) || context_.journal.intend(exchange, client_.peer());
    const bool chooses_anew = !on_record && exchange.forced && !exchange.fell_back;
    if (!on_record && !chooses_anew) name_incomplete(exchange, other(exchange.serving_side()), context_);
    context_.journal.done(earlier);
    if (on_record || chooses_anew) return on_record;
    if (exchange.choice.shadow) exchange.dropped = "spool_full";
    exchange.choice.shadow = false;
    return true;
  }

  Awaitable<bool> refuse(ExchangePtr& exchange) {
    if (!exchange->fell_back) co_return co_await responder_.refuse_not_current(*exchange);
    undo_fall_back(*exchange, loop_.counters);
    // It has left the order of its keys, and modern may have applied it.
    if (exchange->write() && is_uncertain(exchange->serving)) name_incomplete(*exchange, Side::legacy, context_);
    co_return co_await responder_.respond_failed(exchange, Refusal::connect_failed, std::chrono::steady_clock::now());
  }

  // The backend had closed the idle connection. A safe method may go again; a write may have been delivered.
  static bool may_send_again(const Exchange& exchange, const ConnectionPtr& connection) {
    const bool stale = connection && connection->reused && exchange.serving.outcome == LegOutcome::reset &&
                       exchange.serving.head_text.empty();
    return stale && exchange.request.is_safe() && exchange.body_complete;
  }

  EventLoop& loop_;
  GatewayContext& context_;
  ClientConnection client_;
  ServingLeg leg_{client_};
  Responder responder_{loop_, client_, leg_};
  std::uint32_t bucket_ = 0;
  bool served_any_ = false;
};

}  // namespace

Awaitable<void> run_session(StreamPtr stream, ClientPeer peer, EventLoop& loop) {
  return Session::run(std::make_unique<Session>(std::move(stream), std::move(peer), loop));
}

}  // namespace phoenix::gateway
