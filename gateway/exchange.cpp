#include "gateway/exchange.hpp"

#include <algorithm>

#include "gateway/recycled_memory.hpp"

namespace phoenix::gateway {
namespace {

/// What most exchanges would allocate again, each a few hundred bytes.
struct Buffers {
  std::string id_text, request_id, head_text, forwarded_head;
  std::string serving_head_text, serving_body, shadow_head_text, shadow_body;
  std::vector<HeaderField> request_fields, serving_fields, shadow_fields;
};

template <class Buffer>
void hand_on(Buffer& from, Buffer& to) {
  constexpr std::size_t kMostKept = 4096 / sizeof(typename Buffer::value_type);
  from.clear();
  if (from.capacity() <= kMostKept) to = std::move(from);
}

// Of one thread. Everything else of an exchange is made anew, so that nothing of one client's request can be left for
// another's.
class Spares {
 public:
  void take(Exchange& exchange) {
    if (kept_.empty()) return;
    Buffers& spare = kept_.back();
    exchange.id_text = std::move(spare.id_text);
    exchange.request_id = std::move(spare.request_id);
    exchange.head_text = std::move(spare.head_text);
    exchange.forwarded_head = std::move(spare.forwarded_head);
    exchange.serving.head_text = std::move(spare.serving_head_text);
    exchange.serving.body = std::move(spare.serving_body);
    exchange.shadow.head_text = std::move(spare.shadow_head_text);
    exchange.shadow.body = std::move(spare.shadow_body);
    exchange.request.fields = std::move(spare.request_fields);
    exchange.serving.head.fields = std::move(spare.serving_fields);
    exchange.shadow.head.fields = std::move(spare.shadow_fields);
    kept_.pop_back();
    least_ = std::min(least_, kept_.size());
  }
  void keep_of(Exchange& exchange) {
    constexpr std::size_t kMost = 256;
    if (kept_.size() >= kMost) return;
    Buffers& spare = kept_.emplace_back();
    hand_on(exchange.id_text, spare.id_text);
    hand_on(exchange.request_id, spare.request_id);
    hand_on(exchange.head_text, spare.head_text);
    hand_on(exchange.forwarded_head, spare.forwarded_head);
    hand_on(exchange.serving.head_text, spare.serving_head_text);
    hand_on(exchange.serving.body, spare.serving_body);
    hand_on(exchange.shadow.head_text, spare.shadow_head_text);
    hand_on(exchange.shadow.body, spare.shadow_body);
    hand_on(exchange.request.fields, spare.request_fields);
    hand_on(exchange.serving.head.fields, spare.serving_fields);
    hand_on(exchange.shadow.head.fields, spare.shadow_fields);
  }

  void free_unused() {
    kept_.resize(kept_.size() - least_);
    kept_.shrink_to_fit();
    least_ = kept_.size();
  }

 private:
  std::vector<Buffers> kept_;
  std::size_t least_ = 0;  // of kept_ since free_unused()
};

Spares& spares() {
  static thread_local Spares of_thread;
  return of_thread;
}

}  // namespace

void free_unused_exchange_memory() {
  spares().free_unused();
}

void* Exchange::operator new(std::size_t bytes) {
  return RecycledMemory::take(bytes);
}
void Exchange::operator delete(void* exchange, std::size_t bytes) {
  RecycledMemory::give_back(exchange, bytes);
}

void EndExchange::operator()(Exchange* exchange) const noexcept {
  spares().keep_of(*exchange);
  delete exchange;
}

ExchangePtr make_exchange() {
  ExchangePtr exchange(new Exchange);
  spares().take(*exchange);
  return exchange;
}

}  // namespace phoenix::gateway
