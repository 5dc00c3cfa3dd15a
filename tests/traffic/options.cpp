#include "tests/traffic/options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace phoenix::traffic {

namespace {

[[noreturn]] void refuse(std::string_view option, const std::string& why) {
  throw Failure(ErrorCode::invalid_input, fmt::format("option --{}: {}", option, why));
}

double read_real(std::string_view option, const std::string& text, double least, double most) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most))
    refuse(option, fmt::format("'{}' is not a number from {} to {}", text, least, most));
  return value;
}

std::chrono::milliseconds read_duration(std::string_view option, const std::string& text) {
  const auto duration = config::parse_duration(text);
  if (!duration) refuse(option, duration.error().message);
  return *duration;
}

}  // namespace

std::vector<OptionSpec> option_specs() {
  return {{"target", "HOST:PORT", "the bank, or the gateway before it", "127.0.0.1:8080"},
          {"accounts", "N", "use accounts 1..N, which must exist", "100"},
          {"seed", "S", "of the stream of operations", "1"},
          {"rate", "R", "requests per second; latency counts from the time a request was due", ""},
          {"concurrency", "C", "requests in flight at most (default 8; 64 with --rate)", ""},
          {"duration", "TIME", "how long, e.g. 30s", ""},
          {"requests", "N", "how many", ""},
          {"mix", "KIND=WEIGHT,...", "what to ask for", "read=40,statement=10,deposit=20,withdrawal=15,transfer=15"},
          {"zipf", "S", "how unequally popular accounts are; 0: equally", "0.9"},
          {"model", "NAME", "whose fees and interest are right: " + std::string(kFeeModelNames), "legacy-vip-fee"},
          {"timeout", "TIME", "how long to wait for an answer", "10s"},
          {"json", "FILE", "write the summary there", ""},
          {"live", "FILE", "rewrite one line of JSON there every second", ""},
          {"final-check", "", "read every touched account at the end and compare", ""}};
}

TrafficOptions read_options(const std::map<std::string, std::string>& given) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  auto has = [&](const char* name) { return given.count(name) != 0; };
  TrafficOptions options;
  const auto target = config::parse_endpoint(given.at("target"));
  if (!target) refuse("target", target.error().message);
  options.target = *target;
  options.accounts = parse_whole_number("accounts", given.at("accounts"), 2, 10'000'000).value();
  options.seed = static_cast<std::uint64_t>(parse_whole_number("seed", given.at("seed"), 0, kMost).value());
  if (has("rate")) options.rate = read_real("rate", given.at("rate"), 0.1, 100'000);
  options.concurrency = options.rate > 0 ? 64 : 8;
  if (has("concurrency"))
    options.concurrency =
        static_cast<int>(parse_whole_number("concurrency", given.at("concurrency"), 1, 10'000).value());
  if (has("duration")) options.duration = read_duration("duration", given.at("duration"));
  if (has("requests"))
    options.requests =
        static_cast<std::uint64_t>(parse_whole_number("requests", given.at("requests"), 1, kMost).value());
  if (options.duration.count() == 0 && options.requests == 0) options.duration = std::chrono::seconds{30};
  const auto mix = parse_mix(given.at("mix"));
  if (!mix) refuse("mix", mix.error().message);
  options.mix = *mix;
  options.zipf = read_real("zipf", given.at("zipf"), 0, 10);
  const auto model = fee_model_from_string(given.at("model"));
  if (!model) refuse("model", fmt::format("'{}' is none of {}", given.at("model"), kFeeModelNames));
  options.model = *model;
  options.timeout = read_duration("timeout", given.at("timeout"));
  if (options.timeout.count() == 0) refuse("timeout", "must be above 0");
  options.final_check = has("final-check");
  if (has("json")) options.json_file = given.at("json");
  if (has("live")) options.live_file = given.at("live");
  return options;
}

}  // namespace phoenix::traffic
