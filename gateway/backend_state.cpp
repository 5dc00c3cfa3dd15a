#include "gateway/backend_state.hpp"

#include <algorithm>

#include "core/runtime/log.hpp"

namespace phoenix::gateway {
namespace {

constexpr int kMostRepeats = 10;  // times ejection.duration

// Written only when it changes: the line stays shared between the processors' caches.
template <class T>
bool change(std::atomic<T>& at, T to) {
  return at.load(std::memory_order_relaxed) != to && at.exchange(to, std::memory_order_relaxed) != to;
}

}  // namespace

std::string_view EndpointState::state(SteadyTime now) const {
  if (unhealthy) return "unhealthy";
  if (is_ejected(now)) return "ejected";
  return connected ? "up" : "unreachable";
}

BackendState::BackendState(Side of, config::BackendConfig with, std::vector<std::shared_ptr<EndpointState>> all,
                           std::shared_ptr<BackendGate> shared_gate)
    : side(of), config(std::move(with)), endpoints(std::move(all)), gate(std::move(shared_gate)) {}

void BackendState::note_connect(std::size_t endpoint, bool worked, std::string_view why) {
  EndpointState& state = *endpoints[endpoint];
  if (!change(state.connected, worked)) return;
  if (worked) {
    log::info("{}: {} can be reached again", to_string(side), state.name);
  } else {
    log::warn("{}: {} cannot be reached: {}", to_string(side), state.name, why);
  }
}

void BackendState::note_health(std::size_t endpoint, bool healthy) {
  EndpointState& state = *endpoints[endpoint];
  if (change(state.unhealthy, !healthy))
    log::warn("{}: {} is {} by its health check", to_string(side), state.name, healthy ? "healthy" : "unhealthy");
}

void BackendState::succeeded(std::size_t endpoint) {
  change(endpoints[endpoint]->failures, 0);
}

void BackendState::failed(std::size_t endpoint, SteadyTime now) {
  EndpointState& state = *endpoints[endpoint];
  const int failures = state.failures.fetch_add(1, std::memory_order_relaxed) + 1;
  if (config.ejection.failures > 0 && failures >= config.ejection.failures) eject(state, now);
}

void BackendState::eject(EndpointState& endpoint, SteadyTime now) {
  const std::lock_guard lock(gate->ejecting);
  if (endpoint.is_ejected(now) || endpoints.size() < 2) return;
  const auto ejected = static_cast<std::size_t>(
      std::count_if(endpoints.begin(), endpoints.end(), [&](const auto& other) { return other->is_ejected(now); }));
  if ((ejected + 1) * 100 > endpoints.size() * static_cast<std::size_t>(config.ejection.max_percent)) return;
  const SteadyTime last(SteadyTime::duration(endpoint.ejected_until.load()));
  const bool again = endpoint.repeats > 0 && now < last + config.ejection.duration * kMostRepeats;
  endpoint.repeats = again ? std::min(endpoint.repeats * 2, kMostRepeats) : 1;
  const auto duration = config.ejection.duration * endpoint.repeats;
  endpoint.ejected_until = (now + duration).time_since_epoch().count();
  endpoint.failures = 0;
  ++endpoint.ejections;
  log::warn("{}: {} is ejected for {} ms after {} failures in a row", to_string(side), endpoint.name, duration.count(),
            config.ejection.failures);
}

bool BackendState::is_up() const {
  return std::any_of(endpoints.begin(), endpoints.end(),
                     [](const auto& endpoint) { return endpoint->connected && !endpoint->unhealthy; });
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  end();
  backend_ = std::exchange(other.backend_, nullptr);
  counted_at_ = std::exchange(other.counted_at_, nullptr);
  active_ = std::exchange(other.active_, nullptr);
  endpoint_ = other.endpoint_;
  pass_ = other.pass_;
  limited_ = other.limited_;
  verdict_ = other.verdict_;
  return *this;
}

Refusal Lease::enter(BackendState& backend, SteadyTime now) {
  BackendGate& gate = *backend.gate;
  const CircuitBreaker::Pass pass = gate.breaker.enter(backend.config.circuit_breaker, now);
  if (pass == CircuitBreaker::Pass::refused) return Refusal::circuit_open;
  limited_ = backend.config.in_flight > 0;
  if (limited_ && gate.in_flight.fetch_add(1, std::memory_order_relaxed) >= backend.config.in_flight) {
    gate.in_flight.fetch_sub(1, std::memory_order_relaxed);
    gate.breaker.abandoned(pass);
    return Refusal::in_flight;
  }
  backend_ = &backend;
  pass_ = pass;
  return Refusal::none;
}

void Lease::attach(std::size_t endpoint, std::size_t& active) {
  endpoint_ = endpoint;
  active_ = &active;
  ++active;
  if (backend_->config.balance != config::Balance::least_requests) return;
  counted_at_ = backend_->endpoints[endpoint].get();
  counted_at_->in_flight.fetch_add(1, std::memory_order_relaxed);
}

void Lease::judge(Verdict verdict) {
  verdict_ = verdict;
  if (verdict != Verdict::good || pass_ != CircuitBreaker::Pass::trial) return;
  backend_->gate->breaker.succeeded(pass_);
  pass_ = CircuitBreaker::Pass::normal;
}

void Lease::end() {
  if (backend_ == nullptr) return;
  BackendState& backend = *std::exchange(backend_, nullptr);
  const SteadyTime now = verdict_ == Verdict::bad ? std::chrono::steady_clock::now() : SteadyTime();
  if (active_ != nullptr) {
    --*std::exchange(active_, nullptr);
    if (counted_at_ != nullptr) std::exchange(counted_at_, nullptr)->in_flight.fetch_sub(1, std::memory_order_relaxed);
    if (verdict_ == Verdict::good) backend.succeeded(endpoint_);
    if (verdict_ == Verdict::bad) backend.failed(endpoint_, now);
  }
  if (pass_ != CircuitBreaker::Pass::refused) {
    CircuitBreaker& breaker = backend.gate->breaker;
    if (limited_) backend.gate->in_flight.fetch_sub(1, std::memory_order_relaxed);
    if (verdict_ == Verdict::good) breaker.succeeded(pass_);
    if (verdict_ == Verdict::bad) breaker.failed(backend.config.circuit_breaker, pass_, now);
    if (verdict_ == Verdict::unknown) breaker.abandoned(pass_);
  }
  pass_ = CircuitBreaker::Pass::refused;
  verdict_ = Verdict::unknown;
}

BackendStatePtr BackendRegistry::find(Side side, const config::BackendConfig& config) {
  const std::lock_guard lock(mutex_);
  BackendStatePtr& current = current_[static_cast<std::size_t>(index(side))];
  if (current && current->config == config) return current;
  std::vector<std::shared_ptr<EndpointState>> endpoints;
  for (const auto& endpoint : config.endpoints) {
    std::shared_ptr<EndpointState> state;
    for (const auto& known : current ? current->endpoints : decltype(endpoints)()) {
      if (known->name == endpoint.name()) state = known;
    }
    if (!state) state = std::make_shared<EndpointState>(endpoint.name());
    if (config.health_check.path.empty()) state->unhealthy = false;  // nobody would find it healthy again
    endpoints.push_back(std::move(state));
  }
  const auto& gate = gates_[static_cast<std::size_t>(index(side))];
  if (config.circuit_breaker.failures == 0) gate->breaker.reset();
  current = std::make_shared<BackendState>(side, config, std::move(endpoints), gate);
  return current;
}

}  // namespace phoenix::gateway
