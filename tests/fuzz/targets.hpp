// The fuzz targets: each takes any bytes and checks properties of one parser. libfuzzer_entry.cpp gives one of them to
// libFuzzer; replay_main.cpp runs the checked-in inputs through all of them, with any compiler.
#pragma once

#include <stdexcept>
#include <string_view>

namespace phoenix::fuzz {

/// A property that does not hold. libFuzzer takes what nobody catches for a crash; the replay names the input.
inline void check(bool holds, const char* property) {
  if (!holds) throw std::logic_error(property);
}

void request_head(std::string_view input);     // a client connection's bytes
void response_head(std::string_view input);    // a backend connection's bytes
void chunked_body(std::string_view input);     // bytes behind a head with Transfer-Encoding
void proxy_header(std::string_view input);     // a connection's first bytes, behind a load balancer
void json_keys(std::string_view input);        // a request body
void route_keys(std::string_view input);       // a request head and its body
void head_writer(std::string_view input);      // a request head and a response head
void exchange_event(std::string_view input);   // a frame; also "JSON header, line feed, bodies"; also an event's fields
void json_value(std::string_view input);       // a response body
void redactor(std::string_view input);         // a body that is published, and as a query
void xml_value(std::string_view input);        // a response body
void accepted_rules(std::string_view input);   // a rules file in Lua
void response_differ(std::string_view input);  // a byte of switches, a response body, "\n---\n", the other body

void change_record(std::string_view input);  // a letter for the form (C, D, B, N, M), a record of a change stream
void pgoutput(std::string_view input);       // messages of the output plugin, each behind two bytes of length

}  // namespace phoenix::fuzz
