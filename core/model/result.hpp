// Result<T>: the value or an Error that says what went wrong, where and what to do. Expected outcomes return it;
// exceptions are for start-up and the control plane (HACKING.md, "Errors").
#pragma once

#include <boost/system/result.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace phoenix {

/// Whose fault it is and whether a retry may help; programs map it to an HTTP status or an exit code.
enum class ErrorCode {
  invalid_input,  ///< the caller's input is wrong: no retry helps
  not_found,      ///< the named thing does not exist
  conflict,       ///< refused because of newer state (older policy epoch, lost compare-and-set)
  unavailable,    ///< a dependency is away: retrying later may help
  limit,          ///< a named bound is reached
  internal,       ///< our own fault
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

/// Thrown at start-up and in the control plane; `what()` is one clear line.
class Failure : public std::runtime_error {
 public:
  explicit Failure(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  Failure(ErrorCode code, const std::string& message) : Failure(Error{code, message}) {}
  [[nodiscard]] ErrorCode code() const { return error_.code; }

 private:
  Error error_;
};

template <class T>
using Result = boost::system::result<T, Error>;

/// Found by argument-dependent lookup when `Result::value()` is called on an error.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw Failure(error);
}

[[nodiscard]] inline Error invalid_input(std::string message) {
  return {ErrorCode::invalid_input, std::move(message)};
}
[[nodiscard]] inline Error unavailable(std::string message) {
  return {ErrorCode::unavailable, std::move(message)};
}

}  // namespace phoenix
