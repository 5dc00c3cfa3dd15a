#include "tests/traffic/answer_check.hpp"

#include "tests/support/catch.hpp"

using namespace phoenix::traffic;

namespace {

const Operation kTransfer{Kind::transfer, 1, 2, 10'00};

std::string transfer_body(const std::string& amount = "10.00", const std::string& from = "1") {
  return R"({"posting_id":9,"from_account":)" + from + R"(,"to_account":2,"amount":)" + amount +
         R"(,"fee":0.25,"balance_after":89.75,"created_at":"t"})";
}
std::string only_difference(const ParsedAnswer& answer) {
  return answer.differences.size() == 1 ? answer.differences[0].what : std::to_string(answer.differences.size());
}

}  // namespace

TEST_CASE("a right answer has no difference and yields fee and balance") {
  const ParsedAnswer answer = parse_answer(kTransfer, 201, transfer_body());
  CHECK(answer.differences.empty());
  CHECK(answer.fee_minor == 25);
  CHECK(answer.balance_minor == 89'75);
}

TEST_CASE("what is not echoed rightly is a difference") {
  CHECK(only_difference(parse_answer(kTransfer, 201, transfer_body("10.01"))) == "amount");
  CHECK(only_difference(parse_answer(kTransfer, 201, transfer_body("10.00", "3"))) == "from_account");
  CHECK(only_difference(parse_answer(kTransfer, 201, transfer_body("10.00", "\"1\""))) == "from_account");
  CHECK(only_difference(parse_answer(kTransfer, 201, "<html>")) == "body");
}

TEST_CASE("implausible statuses are differences; a refused withdrawal is not") {
  CHECK(only_difference(parse_answer(kTransfer, 200, transfer_body())) == "status");
  CHECK(only_difference(parse_answer({Kind::read, 1, 0, 0}, 404, "{}")) == "status");
  CHECK(only_difference(parse_answer({Kind::deposit, 1, 0, 100}, 404, "{}")) == "status");
  CHECK(parse_answer({Kind::withdrawal, 1, 0, 100}, 422, "{}").differences.empty());
}

TEST_CASE("a statement must agree with itself") {
  const Operation statement{Kind::statement, 1, 0, 0};
  auto body = [](const std::string& newest) {
    return R"({"account_id":1,"balance":5.00,"postings":[{"posting_id":3,"balance_after":)" + newest + "}]}";
  };
  CHECK(parse_answer(statement, 200, body("5.00")).differences.empty());
  CHECK(only_difference(parse_answer(statement, 200, body("4.99"))) == "newest posting's balance_after");
  CHECK(parse_answer(statement, 200, R"({"account_id":1,"balance":5.00,"postings":[]})").differences.empty());
  CHECK(only_difference(parse_answer(statement, 200, R"({"account_id":1,"postings":[]})")) == "balance");
}

TEST_CASE("interest tells its own amount") {
  const Operation interest{Kind::interest, 1, 0, 0, 31};
  const ParsedAnswer answer = parse_answer(
      interest, 201,
      R"({"posting_id":9,"account_id":1,"kind":"interest","amount":42.47,"fee":0.00,"balance_after":5.00})");
  CHECK(answer.differences.empty());
  CHECK(answer.amount_minor == 42'47);
  CHECK(only_difference(parse_answer(
            interest, 201, R"({"posting_id":9,"account_id":1,"amount":"42.47","fee":0.00,"balance_after":5.00})")) ==
        "amount");
}
