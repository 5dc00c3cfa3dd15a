// Runs every checked-in input once:  fuzz_corpus CORPUS_DIRECTORY
// One line for each input that fails; a target without inputs fails too, so that a moved corpus is noticed.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "tests/fuzz/targets.hpp"

namespace {

namespace fuzz = phoenix::fuzz;

struct Target {
  const char* name;
  void (*run)(std::string_view);
};
constexpr Target kTargets[] = {
    {"request_head", fuzz::request_head},
    {"response_head", fuzz::response_head},
    {"chunked_body", fuzz::chunked_body},
    {"json_keys", fuzz::json_keys},
    {"route_keys", fuzz::route_keys},
    {"head_writer", fuzz::head_writer},
    {"exchange_event", fuzz::exchange_event},
    {"json_value", fuzz::json_value},
    {"response_differ", fuzz::response_differ},
    {"proxy_header", fuzz::proxy_header},
    {"redactor", fuzz::redactor},
    {"xml_value", fuzz::xml_value},
    {"accepted_rules", fuzz::accepted_rules},
    {"change_record", fuzz::change_record},
    {"pgoutput", fuzz::pgoutput},
};

bool passes(const Target& target, const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string input{std::istreambuf_iterator<char>(in), {}};
  if (!in) {
    std::cout << file.string() << ": cannot be read\n";
    return false;
  }
  try {
    target.run(input);
    return true;
  } catch (const std::exception& error) {
    std::cout << file.string() << ": " << error.what() << '\n';
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz_corpus CORPUS_DIRECTORY\n";
    return 2;
  }
  bool failed = false;
  for (const auto& target : kTargets) {
    const auto directory = std::filesystem::path(argv[1]) / target.name;
    int inputs = 0;
    std::error_code absent;
    for (const auto& entry : std::filesystem::directory_iterator(directory, absent)) {
      ++inputs;
      failed |= !passes(target, entry.path());
    }
    std::cout << target.name << ": " << inputs << " inputs\n";
    if (inputs == 0) {
      std::cout << directory.string() << ": no inputs\n";
      failed = true;
    }
  }
  return failed ? 1 : 0;
}
