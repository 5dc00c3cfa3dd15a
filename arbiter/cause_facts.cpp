#include "arbiter/cause_facts.hpp"

#include <algorithm>

#include "arbiter/body_document.hpp"
#include "core/model/decimal.hpp"

namespace phoenix::arbiter {
namespace {

using Kind = JsonValue::Kind;

constexpr int kMostScale = 8;

void flatten(const JsonValue& value, const std::string& path, Fields& fields) {
  if (fields.size() >= kMostFields) return;
  if (value.kind == Kind::object) {
    for (const auto& [name, member] : value.members) {
      std::string below = path + "/";
      for (const char c : name) below += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
      flatten(member, below, fields);
    }
  } else if (value.kind == Kind::array) {
    for (std::size_t i = 0; i < value.items.size(); ++i)
      flatten(value.items[i], path + "/" + std::to_string(i), fields);
  } else {
    fields.push_back({path.empty() ? "/" : path, value.kind, value.text});
  }
}

Fields query_fields(std::string_view target) {
  const auto question = target.find('?');
  if (question == std::string_view::npos) return {};
  const auto form = parse_form(target.substr(question + 1));
  Fields fields;
  if (form) flatten(*form, "", fields);
  return fields;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 24 && text.find_first_not_of("0123456789.-") == std::string_view::npos &&
         Decimal::parse(text).has_value();
}

bool ends_with_word(std::string_view name, std::string_view word) {
  if (name.size() < word.size()) return false;
  const auto tail = name.substr(name.size() - word.size());
  return std::equal(tail.begin(), tail.end(), word.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

/// Numbers that are no amount of money.
bool is_label(std::string_view name) {
  for (const auto* word : {"id", "account", "number", "sequence", "version", "iban"}) {
    if (ends_with_word(name, word)) return true;
  }
  return false;
}

bool is_count(std::string_view name) {
  for (const auto* word : {"days", "months", "years", "count", "term", "periods", "instalments", "page", "limit"}) {
    if (ends_with_word(name, word)) return true;
  }
  return false;
}

bool is_balance(std::string_view name) {
  return name.find("balance") != std::string_view::npos || name.find("principal") != std::string_view::npos;
}

int digits_of(std::string_view text) {
  const auto point = text.find('.');
  return point == std::string_view::npos ? 0 : static_cast<int>(text.size() - point - 1);
}

/// Answers without any fraction hold whole units, be they minor units or yen.
int scale_of(const MismatchFacts& facts, std::string_view legacy, std::string_view modern) {
  bool fractions = false;
  for (const auto* fields : {&facts.request, &facts.legacy, &facts.modern}) {
    for (const auto& field : *fields) fractions = fractions || (digits_of(field.text) > 0 && is_number(field.text));
  }
  if (!fractions) return 0;
  const std::string currency = facts.attribute("currency");
  return std::max({currency.empty() ? 2 : minor_unit_digits(currency), digits_of(legacy), digits_of(modern)});
}

bool is_key(const MismatchFacts& facts, const std::string& text) {
  return std::find(facts.keys.begin(), facts.keys.end(), text) != facts.keys.end();
}

bool may_be_amount(const MismatchFacts& facts, const StatedField& field) {
  return (field.kind == Kind::number || field.kind == Kind::string) && is_number(field.text) &&
         !is_label(name_of(field.path)) && !is_key(facts, field.text);
}

/// Stated alike by both sides, or by the request, or by one side alone.
bool agreed(const MismatchFacts& facts, const StatedField& field) {
  const auto *legacy = field_at(facts.legacy, field.path), *modern = field_at(facts.modern, field.path);
  return legacy == nullptr || modern == nullptr || legacy->text == modern->text;
}

class BaseFinder {
 public:
  BaseFinder(const MismatchFacts& facts, const std::string& path, int scale)
      : facts_(facts), path_(path), scale_(scale) {}

  std::vector<Base> find(const Fields& answer, bool balances) {
    const auto parent = parent_of(path_);
    for (const auto& field : answer) {
      if (parent_of(field.path) == parent) add(field);
    }
    for (const auto& field : facts_.request) add(field);
    if (balances) add_balances();
    for (const auto& field : answer) {
      if (!parent_of(field.path).starts_with(parent) && parent_of(field.path).find_first_of("0123456789") == npos)
        add(field);
    }
    return std::move(bases_);
  }

 private:
  static constexpr auto npos = std::string_view::npos;

  void add(const StatedField& field) {
    const auto name = name_of(field.path);
    if (field.path == path_ || is_count(name) || !may_be_amount(facts_, field) || !agreed(facts_, field)) return;
    if (const auto amount = minor_of(field.text, scale_)) add({field.path, *amount, *amount, is_balance(name)});
  }

  void add(Base base) {
    if (base.legacy <= 0 || base.modern <= 0 || bases_.size() >= 6) return;
    const bool known = std::any_of(bases_.begin(), bases_.end(),
                                   [&](const auto& b) { return b.legacy == base.legacy && b.modern == base.modern; });
    if (!known) bases_.push_back(std::move(base));
  }

  /// A balance after the posting less what was posted: the balance that interest was computed on.
  void add_balances() {
    const auto &legacy = facts_.posted[0].before, &modern = facts_.posted[1].before;
    if (legacy && modern && facts_.posted_scale == scale_) add({"balance before", *legacy, *modern, true});
    for (const auto& field : facts_.legacy) {
      if (!is_balance(name_of(field.path)) || field.path == path_) continue;
      const auto left = before(facts_.legacy, field.path), right = before(facts_.modern, field.path);
      if (left && right) add({"balance before", *left, *right, true});
    }
  }

  std::optional<std::int64_t> before(const Fields& answer, const std::string& balance) {
    const auto *after = field_at(answer, balance), *posted = field_at(answer, path_);
    if (after == nullptr || posted == nullptr) return std::nullopt;
    const auto balance_after = minor_of(after->text, scale_), amount = minor_of(posted->text, scale_);
    return balance_after && amount ? std::optional(*balance_after - *amount) : std::nullopt;
  }

  const MismatchFacts& facts_;
  const std::string& path_;
  const int scale_;
  std::vector<Base> bases_;
};

void add_count(const StatedField& field, std::vector<std::int64_t>& counts) {
  const auto count = is_count(name_of(field.path)) ? minor_of(field.text, 0) : std::nullopt;
  if (count && *count > 0 && *count <= 366 && std::find(counts.begin(), counts.end(), *count) == counts.end())
    counts.push_back(*count);
}

std::vector<std::int64_t> counts_of(const MismatchFacts& facts) {
  std::vector<std::int64_t> counts;
  for (const auto* fields : {&facts.request, &facts.legacy}) {
    for (const auto& field : *fields) {
      if (agreed(facts, field)) add_count(field, counts);
    }
  }
  return counts;
}

Fields request_fields(const ExchangeEvent& exchange) {
  Fields fields;
  if (!exchange.request_truncated) fields = fields_of(exchange.request_headers, exchange.request_body);
  for (auto& field : query_fields(exchange.target)) fields.push_back(std::move(field));
  return fields;
}

}  // namespace

const StatedField* field_at(const Fields& fields, std::string_view path) {
  for (const auto& field : fields) {
    if (field.path == path) return &field;
  }
  return nullptr;
}

Fields fields_of(const HeaderList& headers, std::string_view body) {
  Content content = content_of(headers);
  if (content == Content::other && !body.empty() && body.front() == '{') content = Content::json;
  if (content == Content::other) return {};
  const auto document = parse_body(content, body);
  Fields fields;
  if (document) flatten(*document, "", fields);
  return fields;
}

std::string_view name_of(std::string_view path) {
  if (path.ends_with("/#text")) path.remove_suffix(6);
  return path.substr(path.rfind('/') + 1);
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string general_path(std::string_view path) {
  std::string general;
  while (!path.empty()) {
    const auto end = std::min(path.find('/', 1), path.size());
    const auto segment = path.substr(0, end);
    const bool position = segment.size() > 1 && segment.find_first_not_of("0123456789", 1) == std::string_view::npos;
    general += position ? "/*" : segment;
    path.remove_prefix(end);
  }
  return general;
}

std::string MismatchFacts::attribute(std::string_view name) const {
  for (const auto* fields : {&legacy, &modern, &request}) {
    for (const auto& field : *fields) {
      if (name_of(field.path) == name && field.kind == Kind::string) return field.text;
    }
  }
  for (const auto& [known, value] : attributes) {
    if (known == name) return value;
  }
  return {};
}

MismatchFacts facts_of(const ExchangeEvent& exchange, Verdict verdict, std::vector<ValueDifference> differences) {
  MismatchFacts facts;
  facts.route = exchange.route;
  facts.method = exchange.method;
  facts.verdict = verdict;
  facts.differences = std::move(differences);
  facts.overlap = exchange.overlap;
  facts.event_time_us = exchange.completed_at_us;
  for (const auto& key : exchange.keys) facts.keys.push_back(key.key);
  facts.request = request_fields(exchange);
  const auto &legacy = exchange.leg(Side::legacy), &modern = exchange.leg(Side::modern);
  facts.legacy_status = legacy.status;
  facts.modern_status = modern.status;
  if (!legacy.truncated) facts.legacy = fields_of(legacy.headers, legacy.body);
  if (!modern.truncated) facts.modern = fields_of(modern.headers, modern.body);
  return facts;
}

std::vector<std::int64_t> requested_counts(const ExchangeEvent& exchange) {
  std::vector<std::int64_t> counts;
  for (const auto& field : request_fields(exchange)) add_count(field, counts);
  return counts;
}

std::optional<std::int64_t> minor_of(std::string_view text, int scale) {
  if (!is_number(text)) return std::nullopt;
  const auto minor = Decimal::parse(text)->to_minor(scale);
  return minor ? std::optional(*minor) : std::nullopt;
}

std::optional<AmountPair> amount_pair(const MismatchFacts& facts, const ValueDifference& difference) {
  const auto *left = field_at(facts.legacy, difference.path), *right = field_at(facts.modern, difference.path);
  if (difference.kind != DifferenceKind::value || left == nullptr || right == nullptr) return std::nullopt;
  if (!is_number(left->text) || !is_number(right->text) || is_label(name_of(difference.path))) return std::nullopt;
  AmountPair pair;
  pair.path = difference.path;
  pair.scale = std::min(scale_of(facts, left->text, right->text), kMostScale);
  const auto legacy = minor_of(left->text, pair.scale), modern = minor_of(right->text, pair.scale);
  if (!legacy || !modern || *legacy == *modern) return std::nullopt;
  pair.legacy = *legacy;
  pair.modern = *modern;
  pair.bases = BaseFinder(facts, difference.path, pair.scale).find(facts.legacy, true);
  pair.days = counts_of(facts);
  return pair;
}

std::optional<StatedAmount> stated_amount(const MismatchFacts& facts, bool modern, const std::string& path, int scale) {
  const Fields& answer = modern ? facts.modern : facts.legacy;
  const StatedField* field = field_at(answer, path);
  const auto amount = field == nullptr ? std::nullopt : minor_of(field->text, scale);
  if (!amount) return std::nullopt;
  return StatedAmount{*amount, BaseFinder(facts, path, scale).find(answer, false)};
}

}  // namespace phoenix::arbiter
