#include "core/http/message.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/http/client.hpp"
#include "core/http/server.hpp"

namespace phoenix::http {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view find_header(const std::vector<std::pair<std::string, std::string>>& headers, std::string_view name) {
  for (const auto& [header, value] : headers) {
    if (std::equal(header.begin(), header.end(), name.begin(), name.end(),
                   [](char a, char b) { return lower(a) == lower(b); })) {
      return value;
    }
  }
  return {};
}

std::string_view Request::header(std::string_view name) const {
  return find_header(headers, name);
}
std::string ClientResponse::header(std::string_view name) const {
  return std::string(find_header(headers, name));
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      decoded += c == '+' && plus_is_space ? ' ' : c;
    }
  }
  return decoded;
}

Response problem(int status, std::string_view title, std::string_view detail) {
  const nlohmann::json document{{"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}};
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  // Detail may quote input that is not UTF-8: replaced, so that an error never fails to be told.
  response.body = document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return response;
}

Response problem_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid_input:
      return problem(400, "Bad Request", error.message);
    case ErrorCode::not_found:
      return problem(404, "Not Found", error.message);
    case ErrorCode::conflict:
      return problem(409, "Conflict", error.message);
    case ErrorCode::limit:
      return problem(429, "Too Many Requests", error.message);
    case ErrorCode::unavailable:
      return problem(503, "Service Unavailable", error.message);
    case ErrorCode::internal:
      break;
  }
  return problem(500, "Internal Server Error", error.message);
}

Response json_text(int status, std::string body) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

}  // namespace phoenix::http
