#include "core/sim/fault_profile.hpp"

#include <fmt/format.h>

#include <charconv>
#include <thread>

#include "core/runtime/config.hpp"
#include "core/sim/exact_json.hpp"

namespace phoenix::sim {

namespace {

constexpr std::chrono::milliseconds kMaxLatency{60'000};

/// splitmix64 of the request's number: a reproducible draw without a lock of its own.
double uniform(std::uint64_t n) {
  std::uint64_t z = n * 0x9E3779B97F4A7C15ull + 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1.0p-53;
}

Result<void> set_bool(const std::string& name, const ExactJson::Scalar& value, bool& out) {
  if (value.type != ExactJson::Type::boolean) return invalid_input(fmt::format("{}: true or false is needed", name));
  out = value.text == "true";
  return {};
}

Result<void> set_latency(const ExactJson::Scalar& value, std::chrono::milliseconds& out) {
  const auto latency = config::parse_duration(value.text);
  if (value.type != ExactJson::Type::string || !latency || *latency > kMaxLatency)
    return invalid_input("latency: a duration such as \"200ms\", at most 60s, is needed");
  out = *latency;
  return {};
}

Result<void> set_error_rate(const ExactJson::Scalar& value, double& out) {
  double rate = -1;
  if (value.type == ExactJson::Type::number)
    std::from_chars(value.text.data(), value.text.data() + value.text.size(), rate);
  if (!(rate >= 0 && rate <= 1)) return invalid_input("error_rate: a number from 0 to 1 is needed");
  out = rate;
  return {};
}

/// nullptr: the name is of no fault that befalls every n-th.
std::uint64_t* count_named(const std::string& name, FaultSettings& settings) {
  if (name == "wrong_fee_every") return &settings.wrong_fee_every;
  if (name == "duplicate_every") return &settings.duplicate_every;
  if (name == "drop_every") return &settings.drop_every;
  if (name == "silence_every") return &settings.silence_every;
  return nullptr;
}

Result<void> apply(const ExactJson& document, const std::string& pointer, const ExactJson::Scalar& value,
                   bool knows_bug_compatible, FaultSettings& settings) {
  const std::string name = pointer.substr(1);
  if (name == "latency") return set_latency(value, settings.latency);
  if (name == "error_rate") return set_error_rate(value, settings.error_rate);
  if (name == "hang") return set_bool(name, value, settings.hang);
  if (name == "reset") return set_bool(name, value, settings.reset);
  if (name == "truncate") return set_bool(name, value, settings.truncate);
  if (name == "bug_compatible" && knows_bug_compatible) return set_bool(name, value, settings.bug_compatible);
  if (std::uint64_t* every = count_named(name, settings)) {
    const auto given = document.whole(pointer);
    if (!given || *given < 0) return invalid_input(name + ": a whole number, 0 or more, is needed");
    *every = static_cast<std::uint64_t>(*given);
    return {};
  }
  if (name == "year_days") {
    const auto days = document.whole(pointer);
    if (!days || (*days != 360 && *days != 365 && *days != 366))
      return invalid_input("year_days: 360, 365 or 366 is needed");
    settings.year_days = static_cast<int>(*days);
    return {};
  }
  if (name == "wrong_fee_amount") {
    const auto amount = document.hundredths(pointer);
    if (!amount || *amount <= 0 || *amount > 1'000'000)
      return invalid_input("wrong_fee_amount: an amount above 0.00 is needed");
    settings.wrong_fee_minor = *amount;
    return {};
  }
  return invalid_input(fmt::format("unknown fault '{}'", name));
}

std::string exchange_ids_json(const std::vector<std::string>& exchange_ids) {
  std::string list;
  for (const auto& id : exchange_ids) list += (list.empty() ? "" : ",") + quote_json(id);
  return fmt::format(R"({{"exchange_ids":[{}]}})", list);
}

}  // namespace

FaultProfile::FaultProfile(bool knows_bug_compatible, bool bug_compatible)
    : knows_bug_compatible_(knows_bug_compatible), bug_compatible_(bug_compatible) {
  settings_.bug_compatible = bug_compatible;
}

Result<void> FaultProfile::update(std::string_view json) {
  const auto document = ExactJson::parse(json);
  if (!document) return document.error();
  const std::lock_guard lock(mutex_);
  FaultSettings next = settings_;
  for (const auto& [pointer, value] : document->scalars()) {
    const auto applied = apply(*document, pointer, value, knows_bug_compatible_, next);
    if (!applied) return applied;
  }
  if (next.wrong_fee_every != settings_.wrong_fee_every) postings_ = 0;
  if (next.duplicate_every != settings_.duplicate_every) duplicate_postings_ = 0;
  if (next.drop_every != settings_.drop_every) drop_postings_ = 0;
  if (next.silence_every != settings_.silence_every) writes_ = 0;
  settings_ = next;
  rounding_.store(next.truncate ? Rounding::truncate : Rounding::nearest, std::memory_order_relaxed);
  year_days_.store(next.year_days, std::memory_order_relaxed);
  bug_compatible_.store(next.bug_compatible, std::memory_order_relaxed);
  return {};
}

FaultSettings FaultProfile::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

std::string FaultProfile::to_json() const {
  const FaultSettings s = settings();
  std::string text = fmt::format(
      R"({{"latency":"{}ms","error_rate":{},"hang":{},"reset":{},"wrong_fee_every":{},"wrong_fee_amount":{},)"
      R"("truncate":{},"duplicate_every":{},"drop_every":{},"silence_every":{},"year_days":{})",
      s.latency.count(), s.error_rate, s.hang, s.reset, s.wrong_fee_every, hundredths_to_text(s.wrong_fee_minor),
      s.truncate, s.duplicate_every, s.drop_every, s.silence_every, s.year_days);
  if (knows_bug_compatible_) text += fmt::format(R"(,"bug_compatible":{})", s.bug_compatible);
  return text + "}";
}

RequestFault FaultProfile::before_request() {
  FaultSettings s;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    s = settings_;
    number = ++requests_;
  }
  if (s.hang) return RequestFault::hang;
  if (s.reset) return RequestFault::reset;
  if (s.latency.count() > 0) std::this_thread::sleep_for(s.latency);
  if (s.error_rate > 0 && uniform(number) < s.error_rate) return RequestFault::error;
  return RequestFault::none;
}

FaultProfile::PostingFaults FaultProfile::count_posting() {
  const std::lock_guard lock(mutex_);
  ++postings_;
  ++duplicate_postings_;
  ++drop_postings_;
  PostingFaults faults;
  if (settings_.wrong_fee_every != 0 && postings_ % settings_.wrong_fee_every == 0)
    faults.extra_fee_minor = settings_.wrong_fee_minor;
  faults.duplicate = settings_.duplicate_every != 0 && duplicate_postings_ % settings_.duplicate_every == 0;
  faults.drop = settings_.drop_every != 0 && drop_postings_ % settings_.drop_every == 0;
  return faults;
}

void FaultProfile::record_wrong_fee(const std::string& exchange_id) {
  const std::lock_guard lock(mutex_);
  wrong_fees_.push_back(exchange_id);
}

void FaultProfile::record_duplicate(const std::string& exchange_id) {
  const std::lock_guard lock(mutex_);
  duplicates_.push_back(exchange_id);
}

void FaultProfile::record_drop(const std::string& exchange_id) {
  const std::lock_guard lock(mutex_);
  drops_.push_back(exchange_id);
}

bool FaultProfile::silence(const std::string& exchange_id) {
  const std::lock_guard lock(mutex_);
  if (settings_.silence_every == 0 || ++writes_ % settings_.silence_every != 0) return false;
  if (!exchange_id.empty()) silences_.push_back(exchange_id);
  return true;
}

std::string FaultProfile::drops_json() const {
  const std::lock_guard lock(mutex_);
  return exchange_ids_json(drops_);
}

std::string FaultProfile::silences_json() const {
  const std::lock_guard lock(mutex_);
  return exchange_ids_json(silences_);
}

std::string FaultProfile::wrong_fees_json() const {
  const std::lock_guard lock(mutex_);
  return exchange_ids_json(wrong_fees_);
}

std::string FaultProfile::duplicates_json() const {
  const std::lock_guard lock(mutex_);
  return exchange_ids_json(duplicates_);
}

void PostingTurn::take() {
  if (!taken_) given_ = faults_.count_posting();
  taken_ = true;
}

std::int64_t PostingTurn::extra_minor(std::int64_t spare_minor) {
  take();
  charged_ = given_.extra_fee_minor > 0 && given_.extra_fee_minor <= spare_minor;
  return charged_ ? given_.extra_fee_minor : 0;
}

bool PostingTurn::duplicate(bool possible) {
  take();
  duplicated_ = given_.duplicate && possible && !given_.drop;
  return duplicated_;
}

bool PostingTurn::drop() {
  take();
  dropped_ = given_.drop;
  return dropped_;
}

void PostingTurn::answered(int status, const std::string& exchange_id) {
  if (status != 201) return;
  if (charged_) faults_.record_wrong_fee(exchange_id);
  if (duplicated_) faults_.record_duplicate(exchange_id);
  if (dropped_) faults_.record_drop(exchange_id);
}

}  // namespace phoenix::sim
