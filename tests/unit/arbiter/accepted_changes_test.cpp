// Accepted changes: the example rules of the documentation on exchanges like those of the simulated banks.
#include "arbiter/accepted_changes.hpp"

#include <fstream>
#include <iterator>

#include "arbiter/compare_rules.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/exchange_builder.hpp"

using namespace phoenix;
using namespace phoenix::arbiter;
using Kind = AcceptedOutcome::Kind;
using Amounts = std::vector<std::pair<std::string, std::int64_t>>;

namespace {

constexpr std::int64_t kNovember2026Us = 1'795'000'000'000'000;

std::string example_text() {
  std::ifstream file(PHOENIX_EXAMPLE_RULES);
  return {std::istreambuf_iterator<char>(file), {}};
}

AcceptedChanges example() {
  return AcceptedChanges::parse(example_text(), "accepted-changes.lua").value();
}

/// An exchange that both sides answered, and what became known of it.
struct Case {
  Case(const std::string& route, const std::string& request, const std::string& legacy, const std::string& modern,
       int status = 201)
      : exchange(test::exchange(1, legacy, modern, {{"7", 1}, {"8", 1}})) {
    exchange.route = route;
    exchange.request_headers = {{"Content-Type", "application/json"}};
    exchange.request_body = request;
    exchange.serving.status = exchange.shadow.status = status;
    accounts = {{"7", "EUR", 2, {}, {}, {}, {}, 0}, {"8", "EUR", 2, {}, {}, {}, {}, 0}};
  }

  Case& posted(std::size_t account, std::int64_t legacy, std::int64_t modern) {
    accounts[account].legacy_delta = legacy;
    accounts[account].modern_delta = modern;
    postings = true;
    return *this;
  }
  Case& before(std::int64_t legacy, std::int64_t modern, std::int64_t carry) {
    accounts[0].legacy_before = legacy;
    accounts[0].modern_before = modern;
    accounts[0].carry = carry;
    return *this;
  }

  AcceptedOutcome judge(AcceptedChanges& rules, std::int64_t at_us = kNovember2026Us) const {
    const auto responses =
        compare_responses(exchange.leg(Side::legacy), exchange.leg(Side::modern), CompareRules::from_config(compare));
    return rules.evaluate({exchange, responses, accounts, postings, at_us});
  }

  ExchangeEvent exchange;
  config::CompareConfig compare;
  std::vector<AcceptedAccount> accounts;
  bool postings = false;
};

/// 10.20 from 7 to 8: legacy takes 2.5 % = 0.26 (half a cent up), modern 2.0 % = 0.20.
Case vip_transfer(const std::string& modern = R"({"amount":10.20,"fee":0.20})") {
  return {"transfers", R"({"from_account":7,"to_account":8,"amount":10.20})", R"({"amount":10.20,"fee":0.26})", modern};
}

std::string why(const AcceptedOutcome& outcome) {
  return outcome.evaluations.empty() ? "" : outcome.evaluations.back().second;
}

AcceptedChanges one_rule(const std::string& expect, const std::string& more = "") {
  return AcceptedChanges::parse(
             "rule{id='r', reason='a test', approver='b', expires='2030-01-01', routes={'transfers'}," + more +
                 " expect=function(x) return " + expect + " end}",
             "rules.lua")
      .value();
}

}  // namespace

TEST_CASE("a VIP's transfer is accepted when answer and postings are what the rule computes") {
  auto rules = example();
  const auto outcome = vip_transfer().posted(0, -1046, -1040).posted(1, 1020, 1020).judge(rules);
  CHECK(outcome.kind == Kind::change);
  CHECK(outcome.rule == "vip-fee");
  CHECK(outcome.shift == Amounts{{"7", 6}});
  CHECK(why(outcome) == "as predicted");
  CHECK(rules.counts().at("vip-fee").matched == 1);
  CHECK(rules.counts().at("vip-fee").last_matched_us == kNovember2026Us);
}

TEST_CASE("one minor unit beside the prediction is not accepted") {
  auto rules = example();
  const auto answer = vip_transfer(R"({"amount":10.20,"fee":0.21})").posted(0, -1046, -1041).judge(rules);
  CHECK(answer.kind == Kind::none);
  CHECK(why(answer) == "/fee: \"0.20\" predicted, 0.21 answered");
  const auto posting = vip_transfer().posted(0, -1046, -1041).posted(1, 1020, 1020).judge(rules);
  CHECK(posting.kind == Kind::none);
  CHECK(why(posting) == "account 7: delta -10.40 predicted, -10.41 posted");
  const auto payee = vip_transfer().posted(0, -1046, -1040).posted(1, 1020, 1021).judge(rules);
  CHECK(why(payee) == "account 8: delta 10.20 predicted, 10.21 posted");
  CHECK(rules.counts().at("vip-fee").matched == 0);
  CHECK(rules.counts().at("vip-fee").refused == 3);
}

TEST_CASE("a difference that no prediction names is not accepted") {
  auto rules = example();
  CHECK(why(vip_transfer(R"({"amount":10.20,"fee":0.20,"note":"x"})").judge(rules)) == "/note differs too");
  auto status = vip_transfer();
  status.exchange.shadow.status = 200;
  CHECK(why(status.judge(rules)) == "status differs too");
  auto header = vip_transfer();
  header.compare.headers = {"Location"};
  header.exchange.shadow.headers.emplace_back("Location", "/transfers/1");
  CHECK(why(header.judge(rules)) == "header Location differs too");
  CHECK(why(vip_transfer(R"({"amount":10.20,"fee":"0.20"})").judge(rules)) ==
        "/fee: \"0.20\" predicted, \"0.20\" answered");
  auto text = vip_transfer();
  text.exchange.shadow.headers = {{"Content-Type", "text/plain"}};
  CHECK(why(text.judge(rules)) == "the body is cut or no document");
}

TEST_CASE("postings of one side, or to an account of which the rule says nothing, are not accepted") {
  auto rules = example();
  auto missing = vip_transfer().posted(0, -1046, -1040).posted(1, 1020, 0);
  missing.accounts[1].modern_delta.reset();
  CHECK(why(missing.judge(rules)) == "only one side has posted to 8");
  auto nothing = vip_transfer();
  nothing.postings = true;
  CHECK(why(nothing.judge(rules)) == "nothing was posted to 7");
  auto third = vip_transfer().posted(0, -1046, -1040).posted(1, 1020, 1020);
  third.accounts.push_back({"fees", "EUR", 2, {}, {}, 26, 20, 0});
  CHECK(why(third.judge(rules)) == "account fees: delta 0.26 predicted, 0.20 posted");
}

TEST_CASE("without postings the answers decide and the rule's shift is what the carry moves by") {
  auto rules = example();
  const auto outcome = vip_transfer().judge(rules);
  CHECK(outcome.kind == Kind::change);
  CHECK(outcome.shift == Amounts{{"7", 6}});
}

TEST_CASE("a commission that legacy cuts and modern rounds") {
  auto rules = example();
  const Case cut("withdrawals", R"({"amount":19.00})", R"({"amount":19.00,"fee":0.28})", R"({"amount":19,"fee":0.29})");
  const auto outcome = cut.judge(rules);
  CHECK(outcome.rule == "commission-rounding");
  CHECK(outcome.shift == Amounts{{"7", -1}});
  // Legacy charged something else than the bug: the rule has nothing to say.
  const Case other("withdrawals", R"({"amount":19.00})", R"({"amount":19.00,"fee":0.30})",
                   R"({"amount":19.00,"fee":0.29})");
  CHECK(other.judge(rules).kind == Kind::none);
  CHECK(other.judge(rules).evaluations.empty());
}

TEST_CASE("interest by another day count, on each side's own balance") {
  auto rules = example();
  const auto interest = [&](const char* modern, std::int64_t modern_before, std::int64_t carry) {
    return Case("interest", R"({"days":31})", R"({"amount":41.67})", modern).before(1'000'000, modern_before, carry);
  };
  CHECK(interest(R"({"amount":42.47})", 1'000'000, 0).judge(rules).shift == Amounts{{"7", 80}});
  CHECK(interest(R"({"amount":43.06})", 1'000'000, 0).judge(rules).kind == Kind::none);  // 31/360
  // 20.00 more on modern's side, accepted before, bear interest too.
  CHECK(interest(R"({"amount":42.55})", 1'002'000, 2'000).judge(rules).shift == Amounts{{"7", 88}});
  CHECK(interest(R"({"amount":42.47})", 1'002'000, 2'000).judge(rules).kind == Kind::none);
}

TEST_CASE("a rule ends with its last day, by event time") {
  auto rules = example();
  const auto interest =
      Case("interest", R"({"days":31})", R"({"amount":41.67})", R"({"amount":42.47})").before(1'000'000, 1'000'000, 0);
  const std::int64_t end = end_of_day_us("2026-12-31").value();
  CHECK(end == 1'798'761'600'000'000);
  CHECK(interest.judge(rules, end - 1).kind == Kind::change);
  const auto after = interest.judge(rules, end);
  CHECK(after.kind == Kind::none);
  CHECK(why(after) == "expired on 2026-12-31");
  CHECK(rules.counts().at("interest-day-count").expired == 1);
  CHECK_FALSE(rules.status(end - 1)[2].expired);
  CHECK(rules.status(end)[2].expired);
}

TEST_CASE("a consequence of what was accepted is recognised by recomputing both answers") {
  auto rules = example();
  // Accepted drift of 0.06: legacy stands below 1,000.00 and charges 1 %, modern does not.
  const auto deposit = [](const char* legacy, const char* modern) {
    return Case("deposits", R"({"amount":100.00})", legacy, modern).before(99'997, 100'003, 6);
  };
  const char* legacy = R"({"fee":1.00,"balance_after":1098.97})";
  const char* modern = R"({"fee":0.00,"balance_after":1100.03})";
  const auto outcome = deposit(legacy, modern).posted(0, 9'900, 10'000).judge(rules);
  CHECK(outcome.kind == Kind::consequence);
  CHECK(outcome.rule == "tier-after-accepted");
  CHECK(outcome.shift == Amounts{{"7", 100}});
  CHECK(deposit(legacy, modern).judge(rules).shift == Amounts{{"7", 100}});  // from the answers alone
  CHECK(rules.counts().at("tier-after-accepted").consequences == 2);

  SECTION("either answer one minor unit beside it is none") {
    CHECK(why(deposit(R"({"fee":1.01,"balance_after":1098.97})", modern).judge(rules)) ==
          "no consequence: legacy: /fee: \"1.00\" predicted, 1.01 answered");
    CHECK(deposit(legacy, R"({"fee":0.01,"balance_after":1100.03})").judge(rules).kind == Kind::none);
    CHECK(deposit(legacy, modern).posted(0, 9'900, 10'001).judge(rules).kind == Kind::none);
  }
  SECTION("nor is it when the balances differ by more than what was accepted, or nothing was") {
    auto more = deposit(legacy, modern);
    more.accounts[0].carry = 5;
    CHECK(more.judge(rules).evaluations.empty());
    auto unknown = deposit(legacy, modern);
    unknown.accounts[0].modern_before.reset();
    CHECK(unknown.judge(rules).kind == Kind::none);
    auto nothing = deposit(legacy, modern).before(99'997, 99'997, 0);
    CHECK(nothing.judge(rules).kind == Kind::none);
  }
}

TEST_CASE("the first rule of the file that verifies decides, whatever the others say") {
  const std::string head = "reason='a', approver='b', expires='2030-01-01', routes={'transfers'}, ";
  auto rules = AcceptedChanges::parse(
                   "rule{id='broken'," + head + "expect=function(x) return x.nothing.at_all end}\n" +
                       "rule{id='wrong'," + head + "expect=function() return {response={['/fee']=1}} end}\n" +
                       "rule{id='right'," + head + "expect=function() return {response={['/fee']='0.20'}} end}\n" +
                       "rule{id='late'," + head + "expect=function() error('never asked') end}\n",
                   "rules.lua")
                   .value();
  const auto outcome = vip_transfer().judge(rules);
  CHECK(outcome.rule == "right");
  REQUIRE(outcome.evaluations.size() == 3);
  CHECK(outcome.evaluations[0].second.starts_with("error: rules.lua:1: attempt to index a nil value"));
  CHECK(rules.counts().at("broken").errors == 1);
  CHECK(rules.counts().at("wrong").refused == 1);
  CHECK(rules.counts().at("late") == AcceptedRuleCounts{});
}

TEST_CASE("every kind of value can be predicted, and only exactly") {
  const auto judged = [](const std::string& legacy, const std::string& modern, const std::string& expect) {
    auto rules = one_rule(expect);
    return Case("transfers", "{}", legacy, modern).judge(rules).kind == Kind::change;
  };
  CHECK(judged(R"({"a":1})", R"({})", "{response={['/a']=absent}}"));
  CHECK_FALSE(judged(R"({"a":1})", R"({"a":null})", "{response={['/a']=absent}}"));
  CHECK(judged(R"({"a":1})", R"({"a":null})", "{response={['/a']=null}}"));
  CHECK(judged(R"({"a":true})", R"({"a":false})", "{response={['/a']=false}}"));
  CHECK(judged(R"({"a":1.5})", R"({"a":2.50})", "{response={['/a']='2.5'}}"));
  CHECK(judged(R"({"a":"1.5"})", R"({"a":"2.50"})", "{response={['/a']='2.50'}}"));
  CHECK_FALSE(judged(R"({"a":"1.5"})", R"({"a":"2.50"})", "{response={['/a']='2.5'}}"));
  CHECK(judged(R"({"a":"1.5"})", R"({"a":2.50})", "{response={['/a']=number('2.5')}}"));
  CHECK(judged(R"({})", R"({"a":7})", "{response={['/a']=7}}"));
  CHECK_FALSE(judged(R"({})", R"({"a":"7"})", "{response={['/a']=7}}"));
  CHECK(judged(R"({"l":[{"a":1}]})", R"({"l":[{"a":2}]})", "{response={['/l/0/a']=x.legacy.body.l[1].a + 1}}"));
  CHECK(judged(R"({"a/b":1})", R"({"a/b":2})", "{response={['/a~1b']=2}}"));
}

TEST_CASE("status, headers and elements of keyed arrays") {
  auto rules = one_rule("{status=201, headers={location='/t/9'}, response={['/lines/sku=b/price']=4}}");
  Case change("transfers", "{}", R"({"lines":[{"sku":"a","price":1},{"sku":"b","price":2}]})",
              R"({"lines":[{"sku":"b","price":4},{"sku":"a","price":1}]})");
  change.exchange.serving.status = 200;
  change.exchange.shadow.headers.emplace_back("LOCATION", "/t/9");
  change.compare.headers = {"Location"};
  change.compare.keyed = {{"/lines", "sku"}};
  CHECK(change.judge(rules).kind == Kind::change);
  change.exchange.shadow.headers.back().second = "/t/8";
  CHECK(why(change.judge(rules)) == "header location is not the predicted one");
  change.exchange.shadow.status = 202;
  CHECK(why(change.judge(rules)) == "status 201 predicted, 202 answered");
}

TEST_CASE("modern's own answer is not shown to rules, nor legacy's to consequences") {
  auto rules = one_rule("{response={['/fee']=x.modern.body.fee}}");
  CHECK(why(vip_transfer().judge(rules))
            .starts_with("error: rules.lua:1: attempt to index a nil value (field 'modern')"));
  auto more = one_rule("nil", "consequence=function(x) return {response={['/fee']=x.legacy.body.fee}} end,");
  CHECK(why(vip_transfer().before(1, 2, 1).judge(more)).find("(field 'legacy')") != std::string::npos);
  auto delta = one_rule("{shift={['7']=x.accounts[1].modern_delta}}");
  CHECK(vip_transfer().posted(0, 1, 2).judge(delta).kind == Kind::none);
}

TEST_CASE("a delta may be stated whole where postings are known") {
  auto rules = one_rule("{response={['/fee']='0.20'}, delta={['7']=x.accounts[1].legacy_delta + 6}}");
  CHECK(vip_transfer().posted(0, -1046, -1040).judge(rules).shift == Amounts{{"7", 6}});
  CHECK(vip_transfer().posted(0, -1046, -1039).judge(rules).kind == Kind::none);
  auto fixed = one_rule("{response={['/fee']='0.20'}, delta={['7']=-1040}}");
  CHECK(why(vip_transfer().judge(fixed)) == "error: delta needs postings, and there are none here: state the shift");
}

TEST_CASE("nonsense is an error, counted, and accepts nothing") {
  for (const auto& [expect, words] : std::vector<std::pair<std::string, std::string>>{
           {"1", "must return a table or nil"},
           {"{fee=1}", "'fee' is not part of a prediction"},
           // Of several the first by name: Lua's order of a table differs from run to run.
           {"{f=1,e=1,d=1,c=1,b=1,a=1}", "'a' is not part of a prediction"},
           {"{response={f={},e={},d={},c={},b={},a={}}}", "'a' predicts no text"},
           {"{response={fee=1}}", "response: 'fee' is no path"},
           {"{response={[1]=1}}", "has a key that is no text"},
           {"{response={['/fee']={}}}", "predicts no text"},
           {"{shift={['7']='6'}}", "must be an integer in minor units"},
           {"{shift={[7]=6}}", "has a key that is no text"},
           {"{shift={['9']=6}}", "'9' is no account of the exchange"},
           {"{shift={['7']=6}, delta={['7']=6}}", "delta and shift of one account"},
           {"{status='201'}", "status must be an integer"},
           {"{headers={location=1}}", "must be text or absent"}}) {
    INFO(expect);
    auto rules = one_rule(expect);
    const auto outcome = vip_transfer().judge(rules);
    CHECK(outcome.kind == Kind::none);
    CHECK_THAT(why(outcome), Catch::Matchers::StartsWith("error: ") && Catch::Matchers::Contains(words));
    CHECK(rules.counts().at("r").errors == 1);
    CHECK_FALSE(rules.counts().at("r").last_error.empty());
  }
}

TEST_CASE("rules that nothing matches any more are told") {
  auto rules = example();
  const auto unused = [&](std::int64_t at_us) { return rules.status(at_us)[0].unused; };
  rules.note_exchange("transfers", kNovember2026Us);
  CHECK_FALSE(unused(kNovember2026Us + AcceptedRuleStatus::kUnusedUs - 1));
  CHECK(unused(kNovember2026Us + AcceptedRuleStatus::kUnusedUs));
  vip_transfer().judge(rules, kNovember2026Us + 1);
  CHECK_FALSE(unused(kNovember2026Us + AcceptedRuleStatus::kUnusedUs));
  for (std::uint64_t i = 0; i < AcceptedRuleStatus::kUnusedExchanges; ++i) {
    CHECK_FALSE(unused(kNovember2026Us + 2));
    rules.note_exchange("transfers", kNovember2026Us + 2);
  }
  CHECK(unused(kNovember2026Us + 2));
  CHECK_FALSE(rules.concerns("statement"));
}

TEST_CASE("counts survive a restart and new rules") {
  auto rules = example();
  vip_transfer().judge(rules);
  vip_transfer(R"({"fee":0.19})").judge(rules);
  const auto stored = decode_accepted_counts(encode(rules.counts()));
  REQUIRE(stored.has_value());
  CHECK(*stored == rules.counts());
  auto next = one_rule("nil");
  next.restore(*stored);
  CHECK(next.counts().size() == 1);
  auto same = example();
  same.restore(*stored);
  CHECK(same.counts() == rules.counts());
  CHECK_FALSE(decode_accepted_counts("{\"a\":{}}").has_value());
}

TEST_CASE("what a rules file must say, with the line where it does not") {
  const auto error = [](const std::string& text) {
    const auto parsed = AcceptedChanges::parse(text, "rules.lua");
    return parsed ? "accepted" : parsed.error().message;
  };
  const std::string rest = " reason='a', approver='b', expires='2030-01-01', routes={'t'}, expect=function() end}";
  CHECK(error("\nrule{id='a'," + rest) == "accepted");
  CHECK(error("\nrule{" + rest) == "rules.lua:2: rule: 'id' (text) is missing");
  CHECK(error("\nrule{id='A b'," + rest) == "rules.lua:2: rule: id 'A b' may have a-z, 0-9, '-' and '_'");
  CHECK(error("rule{id='a'," + rest + "\nrule{id='a'," + rest) == "rules.lua:2: rule: id 'a' is declared twice");
  CHECK(error("rule{id='a', expiry='x'," + rest).starts_with("rules.lua:1: rule: unknown field 'expiry' (id, reason"));
  CHECK(error("rule{id='a', reason='a', approver='b', expires='2030-02-30', routes={'t'}, expect=function() end}") ==
        "rules.lua:1: rule: expires '2030-02-30' is no date like 2027-03-31");
  CHECK(error("rule{id='a', reason='a', approver='b', expires='2030-01-01', routes={}, expect=function() end}") ==
        "rules.lua:1: rule: 'routes' must list 1 to 64 routes");
  CHECK(error("rule{id='a', reason='a', approver='b', expires='2030-01-01', routes={'t'}}") ==
        "rules.lua:1: rule: 'a' has neither 'expect' nor 'consequence'");
  CHECK(error("rule{id='a', reason='a', approver='b', expires='2030-01-01', routes={'t'}, expect=1}") ==
        "rules.lua:1: rule: 'expect' must be a function");
  CHECK(error("rule{id='a', approver='b', expires='2030-01-01', routes={'t'}, expect=function() end}") ==
        "rules.lua:1: rule: 'reason' (text) is missing");
  CHECK(error("rule(1)") == "rules.lua:1: rule: needs one table, rule{…}");
  CHECK(error("\n\nlocal = 1") == "rules.lua:3: <name> expected near '='");
  CHECK(error(std::string(AcceptedChanges::kMaxTextBytes + 1, ' ')) == "rules.lua: longer than 512 KiB");
  CHECK(AcceptedChanges::parse("", "rules.lua").value().empty());
}
