// The answer's way to the client, and what an exchange comes to with it: recorded, and its shadow leg begun.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/client_connection.hpp"
#include "gateway/serving_leg.hpp"
#include "gateway/upstream.hpp"

namespace phoenix::gateway {

/// Of one session, on its loop. Every function ends the exchange, and says whether the connection stays open.
class Responder {
 public:
  Responder(EventLoop& loop, ClientConnection& client, const ServingLeg& leg)
      : loop_(loop), context_(loop.context), client_(client), leg_(leg) {}

  /// Passes the backend's answer on. Nullopt when the backend failed before the client has seen anything: the exchange
  /// has not ended then.
  Awaitable<std::optional<bool>> respond(ExchangePtr& exchange, Upstream& upstream, ConnectionPtr connection,
                                         SteadyTime started);
  /// 502, 503 or 504, or the client's own fault. `refusal`: why there was no connection.
  Awaitable<bool> respond_failed(ExchangePtr& exchange, Refusal refusal, SteadyTime started);
  /// 503: no side may serve the keys yet. Nothing was sent.
  Awaitable<bool> refuse_not_current(Exchange& exchange);

  [[nodiscard]] bool wants_keep_alive(const Exchange& exchange) const;
  /// Our own answer in place of a backend's. HEAD is answered without a body: its bytes would be taken for the next
  /// answer.
  static std::string problem_for(const Exchange& exchange, int status, std::string_view title, std::string_view detail,
                                 bool keep);

 private:
  bool respond_whole(ExchangePtr& exchange, std::string_view content, SteadyTime started, std::string& unsent);
  Awaitable<bool> respond_streaming(ExchangePtr& exchange, Upstream& upstream, ResponseBody& body, std::string& content,
                                    SteadyTime started);
  Awaitable<bool> tunnel(ExchangePtr& exchange, Upstream& upstream, UpstreamConnection& connection, SteadyTime started);
  RouteCounters& counters_of(const Exchange& exchange);
  Exchange* record(ExchangePtr& exchange, SteadyTime started, std::string_view content);
  void finish_serving(Exchange& exchange, ExchangePtr kept);

  EventLoop& loop_;
  GatewayContext& context_;
  ClientConnection& client_;
  const ServingLeg& leg_;
};

}  // namespace phoenix::gateway
