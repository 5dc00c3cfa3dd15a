#include "arbiter/compact_text.hpp"
#include "arbiter/posting_ledger.hpp"

namespace phoenix::arbiter {

std::string encode(const DecidedExchange& d) {
  CompactWriter out;
  out.numbers(static_cast<int>(d.verdict), int{d.compared}, int{d.write}, int{d.served}, int{d.current}, int{d.first},
              int{d.confirmed}, int{d.both_done}, static_cast<int>(d.answers), int{d.posted}, int{d.lacking}, d.offset,
              d.received_at_us, d.completed_at_us, d.rung);
  for (const auto* name : {&d.slice, &d.route, &d.account}) out.text(*name);
  return out.take();
}

Result<DecidedExchange> decode_decided_exchange(std::string_view text) {
  try {
    CompactReader in(text);
    DecidedExchange d;
    int verdict = 0, answers = 0;
    in.numbers(verdict);
    d.verdict = kVerdicts.at(static_cast<std::size_t>(verdict));
    for (bool* flag : {&d.compared, &d.write, &d.served, &d.current, &d.first, &d.confirmed, &d.both_done})
      *flag = in.flag();
    in.numbers(answers, d.posted, d.lacking, d.offset, d.received_at_us, d.completed_at_us, d.rung);
    d.answers = static_cast<AnswerFact>(answers);
    for (auto* name : {&d.slice, &d.route, &d.account}) *name = in.text();
    return d;
  } catch (const std::exception& e) {
    return invalid_input(fmt::format("decided exchange: {}", e.what()));
  }
}

std::string encode(const LedgerState& state) {
  CompactWriter out;
  out.numbers(3, state.postings_given_up);
  for (const auto& stream : state.streams) {
    out.numbers(int{stream.begun}, stream.began_us, stream.covers, stream.generation, stream.transaction);
    out.text(stream.exchange_id);
    out.numbers(stream.told_until_us);
  }
  return out.take();
}

Result<LedgerState> decode_ledger_state(std::string_view text) {
  LedgerState state;
  if (text.empty()) return state;
  try {
    CompactReader in(text);
    int version = 0;
    in.numbers(version, state.postings_given_up);
    if (version < 1 || version > 3) return invalid_input(fmt::format("ledger state: unknown version {}", version));
    for (auto& stream : state.streams) {
      stream.begun = in.flag();
      in.numbers(stream.began_us, stream.covers, stream.generation, stream.transaction);
      stream.exchange_id = in.text();
      if (version >= 3) in.numbers(stream.told_until_us);
    }
    return state;  // version 1 goes on with markers, which newer ones make needless
  } catch (const std::exception& e) {
    return invalid_input(fmt::format("ledger state: {}", e.what()));
  }
}

}  // namespace phoenix::arbiter
