#include "core/sim/exact_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "core/model/decimal.hpp"

namespace phoenix {

namespace {

using Json = nlohmann::json;
constexpr std::size_t kMaxDepth = 64;

/// Flattens while it reads. A callback that returns false stops the parser; `error` then says why.
class Flattener : public nlohmann::json_sax<Json> {
 public:
  explicit Flattener(std::unordered_map<std::string, ExactJson::Scalar>& out) : out_(out) {}
  std::string error;

  bool null() override { return add(ExactJson::Type::null, "null"); }
  bool boolean(bool value) override { return add(ExactJson::Type::boolean, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return add(ExactJson::Type::number, std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(ExactJson::Type::number, std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return add(ExactJson::Type::number, text); }
  bool string(string_t& text) override { return add(ExactJson::Type::string, text); }
  bool binary(binary_t&) override { return fail("binary data"); }

  bool start_object(std::size_t) override { return open(false); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    Level& level = levels_.back();
    if (!level.names.insert(name).second) return fail(fmt::format("member '{}' occurs twice", name));
    level.name = name;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    return fail(fmt::format("malformed JSON at byte {}", position));
  }

 private:
  struct Level {
    bool array = false;
    std::size_t next_index = 0;
    std::size_t path_length = 0;  // of the container itself
    std::string name;
    std::unordered_set<std::string> names;
  };

  bool fail(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }

  /// Appends the current member's name or index to path_.
  void enter() {
    Level& level = levels_.back();
    path_.resize(level.path_length);
    path_ += '/';
    if (level.array) {
      path_ += std::to_string(level.next_index++);
      return;
    }
    for (const char c : level.name) {
      if (c == '~')
        path_ += "~0";
      else if (c == '/')
        path_ += "~1";
      else
        path_ += c;
    }
  }

  bool add(ExactJson::Type type, std::string text) {
    if (levels_.empty()) return fail("not a JSON object");
    enter();
    out_[path_] = {type, std::move(text)};
    return true;
  }

  bool open(bool array) {
    if (levels_.empty() && array) return fail("not a JSON object");
    if (levels_.size() >= kMaxDepth) return fail("nested too deeply");
    if (!levels_.empty()) enter();
    Level& level = levels_.emplace_back();
    level.array = array;
    level.path_length = path_.size();
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  std::unordered_map<std::string, ExactJson::Scalar>& out_;
  std::vector<Level> levels_;
  std::string path_;
};

}  // namespace

Result<ExactJson> ExactJson::parse(std::string_view text) {
  ExactJson document;
  Flattener flattener(document.scalars_);
  if (!Json::sax_parse(text.begin(), text.end(), &flattener))
    return invalid_input(flattener.error.empty() ? "malformed JSON" : flattener.error);
  return document;
}

const ExactJson::Scalar* ExactJson::find(const std::string& pointer) const {
  const auto at = scalars_.find(pointer);
  return at == scalars_.end() ? nullptr : &at->second;
}

Result<std::string> ExactJson::string(const std::string& pointer) const {
  const Scalar* scalar = find(pointer);
  if (!scalar || scalar->type != Type::string) return invalid_input(fmt::format("{}: a string is needed", pointer));
  return scalar->text;
}

Result<std::int64_t> ExactJson::hundredths(const std::string& pointer) const {
  const Scalar* scalar = find(pointer);
  if (!scalar || scalar->type != Type::number) return invalid_input(fmt::format("{}: a number is needed", pointer));
  const auto value = hundredths_from_text(scalar->text);
  if (!value) return invalid_input(fmt::format("{}: {}", pointer, value.error().message));
  return value;
}

Result<std::int64_t> ExactJson::whole(const std::string& pointer) const {
  const Scalar* scalar = find(pointer);
  if (scalar && scalar->type == Type::number) {
    const auto number = Decimal::parse(scalar->text);
    const auto value = number ? number->to_minor(0) : Result<std::int64_t>(number.error());
    if (value) return value;
  }
  return invalid_input(fmt::format("{}: a whole number is needed", pointer));
}

Result<std::int64_t> hundredths_from_text(std::string_view text) {
  const auto number = Decimal::parse(text);
  if (!number) return number.error();
  return number->to_minor(2);
}

std::string hundredths_to_text(std::int64_t hundredths) {
  return format_minor(hundredths, 2);
}

std::string quote_json(std::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace phoenix
