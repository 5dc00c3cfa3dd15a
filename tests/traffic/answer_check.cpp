#include "tests/traffic/answer_check.hpp"

#include <fmt/format.h>

#include "core/sim/bank.hpp"
#include "core/sim/exact_json.hpp"

namespace phoenix::traffic {

namespace {

class Checker {
 public:
  Checker(const Operation& operation, const ExactJson& body, ParsedAnswer& answer)
      : operation_(operation), body_(body), answer_(answer) {}

  void id(const std::string& pointer, std::int64_t expected) {
    const auto got = body_.whole(pointer);
    if (!got || *got != expected) report(pointer.substr(1), std::to_string(expected), shown(pointer));
  }
  void amount() {
    answer_.amount_minor = money("/amount");
    if (!answer_.amount_minor || operation_.kind == Kind::interest) return;  // interest depends on the balance
    if (*answer_.amount_minor != operation_.amount_minor)
      report("amount", hundredths_to_text(operation_.amount_minor), shown("/amount"));
  }
  std::optional<std::int64_t> money(const std::string& pointer) {
    const auto got = body_.hundredths(pointer);
    if (got) return *got;
    report(pointer.substr(1), "an amount", shown(pointer));
    return std::nullopt;
  }
  void present(const std::string& pointer) {
    if (!body_.find(pointer)) report(pointer.substr(1), "present", "absent");
  }
  void statement() {
    const std::string newest = "/postings/0/balance_after";
    if (answer_.balance_minor && body_.find("/postings/0/posting_id")) {
      const auto got = body_.hundredths(newest);
      if (!got || *got != *answer_.balance_minor)
        report("newest posting's balance_after", hundredths_to_text(*answer_.balance_minor), shown(newest));
    }
    if (body_.find(fmt::format("/postings/{}/posting_id", sim::kStatementLength)))
      report("postings", fmt::format("at most {}", sim::kStatementLength), "more");
  }

 private:
  std::string shown(const std::string& pointer) const {
    const auto* scalar = body_.find(pointer);
    return scalar ? scalar->text : "absent";
  }
  void report(std::string what, std::string expected, std::string got) {
    answer_.differences.push_back({operation_.account, std::move(what), std::move(expected), std::move(got)});
  }

  const Operation& operation_;
  const ExactJson& body_;
  ParsedAnswer& answer_;
};

bool plausible_status(Kind kind, int status) {
  if (!is_write(kind)) return status == 200;
  return status == 201 || status == 422;
}

}  // namespace

ParsedAnswer parse_answer(const Operation& operation, int status, std::string_view body) {
  ParsedAnswer answer;
  answer.status = status;
  if (!plausible_status(operation.kind, status)) {
    answer.differences.push_back(
        {operation.account, "status", is_write(operation.kind) ? "201" : "200", std::to_string(status)});
    return answer;
  }
  if (status == 422) return answer;
  const auto document = ExactJson::parse(body);
  if (!document) {
    answer.differences.push_back({operation.account, "body", "JSON", document.error().message});
    return answer;
  }
  Checker check(operation, *document, answer);
  check.id(operation.kind == Kind::transfer ? "/from_account" : "/account_id", operation.account);
  if (operation.kind == Kind::transfer) check.id("/to_account", operation.to_account);
  if (is_write(operation.kind)) {
    check.present("/posting_id");
    check.amount();
    answer.fee_minor = check.money("/fee");
    answer.balance_minor = check.money("/balance_after");
  } else {
    answer.balance_minor = check.money("/balance");
    if (operation.kind == Kind::statement) check.statement();
  }
  return answer;
}

}  // namespace phoenix::traffic
