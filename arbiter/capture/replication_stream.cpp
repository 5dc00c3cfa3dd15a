#include "arbiter/capture/replication_stream.hpp"

#include <fmt/format.h>
#include <poll.h>

#include "arbiter/capture/slot_setup.hpp"

namespace phoenix::capture {

ReplicationStream::ReplicationStream(const std::string& url, const std::string& slot, const std::string& publication)
    : connection_(url, PgConnection::Kind::replication) {
  const auto system = connection_.run("IDENTIFY_SYSTEM");
  if (system.empty() || system[0].size() < 2)
    throw Failure(ErrorCode::unavailable, fmt::format("{}: IDENTIFY_SYSTEM tells nothing", connection_.describe()));
  cluster_ = system[0][0].value_or("") + "/" + system[0][1].value_or("");
  // Values travel as text: one spelling, whatever the server's or the role's settings.
  for (const char* setting : {"SET datestyle = 'ISO'", "SET timezone = 'UTC'", "SET intervalstyle = 'iso_8601'",
                              "SET extra_float_digits = 1", "SET bytea_output = 'hex'"})
    connection_.run(setting);
  // 0/0: from what the slot has confirmed. The server never goes back behind it.
  const std::string command =
      fmt::format("START_REPLICATION SLOT {} LOGICAL 0/0 (proto_version '1', publication_names {}, messages 'true')",
                  quote_name(slot), quote_literal(quote_name(publication)));
  const PgResult result(PQexec(connection_.handle(), command.c_str()), PQclear);
  if (PQresultStatus(result.get()) == PGRES_COPY_BOTH) return;
  try {
    throw_result(connection_.handle(), result.get(), connection_.describe());
  } catch (const SqlFailure& failure) {
    throw Failure(ErrorCode::unavailable, explain_refusal(failure, slot));
  }
}

void ReplicationStream::fail() {
  // An ended COPY leaves its reason in the result that follows.
  const PgResult result(PQgetResult(connection_.handle()), PQclear);
  if (result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR)
    throw_result(connection_.handle(), result.get(), connection_.describe());
  throw Failure(ErrorCode::unavailable, fmt::format("{}: the server ended the replication", connection_.describe()));
}

std::optional<std::string_view> ReplicationStream::next() {
  for (bool consumed = false;; consumed = true) {
    frame_.reset();
    char* buffer = nullptr;
    const int size = PQgetCopyData(connection_.handle(), &buffer, 1);
    frame_.reset(buffer);
    if (size > 0) return std::string_view(buffer, static_cast<std::size_t>(size));
    if (size == -1) fail();
    if (size < -1) {
      throw Failure(ErrorCode::unavailable,
                    fmt::format("{}: {}", connection_.describe(), first_line(PQerrorMessage(connection_.handle()))));
    }
    if (consumed) return std::nullopt;
    if (PQconsumeInput(connection_.handle()) == 0) {
      throw Failure(ErrorCode::unavailable,
                    fmt::format("{}: {}", connection_.describe(), first_line(PQerrorMessage(connection_.handle()))));
    }
  }
}

void ReplicationStream::send(const std::string& status) {
  if (PQputCopyData(connection_.handle(), status.data(), static_cast<int>(status.size())) != 1 ||
      PQflush(connection_.handle()) != 0) {
    throw Failure(ErrorCode::unavailable,
                  fmt::format("{}: {}", connection_.describe(), first_line(PQerrorMessage(connection_.handle()))));
  }
}

void ReplicationStream::wait(std::chrono::milliseconds timeout, int wake_fd) {
  pollfd descriptors[] = {{PQsocket(connection_.handle()), POLLIN, 0}, {wake_fd, POLLIN, 0}};
  poll(descriptors, 2, static_cast<int>(timeout.count()));
}

}  // namespace phoenix::capture
