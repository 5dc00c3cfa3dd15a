#include "arbiter/accepted_changes.hpp"
#include "arbiter/accepted_syntax.hpp"
#include "tests/fuzz/targets.hpp"

namespace phoenix::fuzz {
namespace {

using namespace arbiter;

LegRecord answer(const char* body) {
  LegRecord leg;
  leg.outcome = LegOutcome::ok;
  leg.status = 201;
  leg.headers = {{"Content-Type", "application/json"}};
  leg.body = body;
  return leg;
}

ExchangeEvent transfer() {
  ExchangeEvent exchange;
  exchange.route = "transfers";
  exchange.serving = answer(R"({"amount":10.20,"fee":0.26,"tier":"vip","parts":[1,null,true,"a"]})");
  exchange.shadow = answer(R"({"amount":10.20,"fee":0.20,"tier":"vip","parts":[1,null,true,"a"]})");
  exchange.shadow.body_hash = 1;
  return exchange;
}

}  // namespace

void accepted_rules(std::string_view input) {
  auto first = AcceptedChanges::parse(input, "rules.lua");
  if (!first) {
    check(!first.error().message.empty(), "a refusal says why");
    return;
  }
  check(!find_float_syntax(input, "rules.lua"), "no float in accepted rules");
  static const ExchangeEvent kExchange = transfer();
  static const ResponseDifference kDifference = compare_responses(kExchange.serving, kExchange.shadow, {});
  const AcceptedInput facts{
      kExchange, kDifference, {{"7", "EUR", 2, 99'997, 100'003, -1'046, -1'040, 6}}, true, 1'795'000'000'000'000};
  auto second = AcceptedChanges::parse(input, "rules.lua");
  check(second.has_value(), "the same text is accepted again");
  for (int i = 0; i < 2; ++i) {  // nothing is kept from the first
    const auto one = first->evaluate(facts), other = second->evaluate(facts);
    check(one.kind == other.kind && one.rule == other.rule && one.shift == other.shift &&
              one.evaluations == other.evaluations,
          "a result depends on the text and the exchange alone");
    const bool none = one.kind == AcceptedOutcome::Kind::none;
    check(none || one.shift == decltype(one.shift){{"7", 6}}, "only the shift that was posted is accepted");
  }
}

}  // namespace phoenix::fuzz
