#include "gateway/field_id.hpp"

#include <array>
#include <cstring>

namespace phoenix::gateway {
namespace {

struct KnownName {
  std::string_view name;
  FieldId id;
};

// By length.
constexpr std::array kNames{
    KnownName{"te", FieldId::te},
    KnownName{"via", FieldId::via},
    KnownName{"host", FieldId::host},
    KnownName{"date", FieldId::date},
    KnownName{"expect", FieldId::expect},
    KnownName{"cookie", FieldId::cookie},
    KnownName{"upgrade", FieldId::upgrade},
    KnownName{"trailer", FieldId::trailer},
    KnownName{"forwarded", FieldId::forwarded},
    KnownName{"connection", FieldId::connection},
    KnownName{"keep-alive", FieldId::keep_alive},
    KnownName{"set-cookie", FieldId::set_cookie},
    KnownName{"content-type", FieldId::content_type},
    KnownName{"max-forwards", FieldId::max_forwards},
    KnownName{"x-request-id", FieldId::x_request_id},
    KnownName{"authorization", FieldId::authorization},
    KnownName{"content-length", FieldId::content_length},
    KnownName{"http2-settings", FieldId::http2_settings},
    KnownName{"x-forwarded-for", FieldId::x_forwarded_for},
    KnownName{"x-forwarded-host", FieldId::x_forwarded_host},
    KnownName{"proxy-connection", FieldId::proxy_connection},
    KnownName{"x-forwarded-proto", FieldId::x_forwarded_proto},
    KnownName{"transfer-encoding", FieldId::transfer_encoding},
    KnownName{"proxy-authenticate", FieldId::proxy_authenticate},
    KnownName{"proxy-authorization", FieldId::proxy_authorization},
};
constexpr std::size_t kLongest = 19;

// Where in kNames the names of a length begin; those of the next length end them.
constexpr auto kFirstOfLength = [] {
  std::array<std::uint8_t, kLongest + 2> first{};
  for (std::size_t length = 0; length < first.size(); ++length) {
    std::uint8_t at = 0;
    while (at < kNames.size() && kNames[at].name.size() < length) ++at;
    first[length] = at;
  }
  return first;
}();

constexpr bool is_ordered() {
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    if (kNames[i].name.size() < kNames[i - 1].name.size()) return false;
  }
  return kNames.back().name.size() == kLongest;
}
static_assert(is_ordered());

// The bit that tells lower-case letters from upper-case ones is set in digits and in '-' as well: of tokens nothing
// else becomes one of these characters by it.
constexpr char kCase = 0x20;
constexpr std::uint64_t kCases = 0x2020202020202020;

template <class Word>
bool is_alike(const char* text, const char* known) {
  Word a = 0;
  Word b = 0;
  std::memcpy(&a, text, sizeof a);
  std::memcpy(&b, known, sizeof b);
  return (a | static_cast<Word>(kCases)) == b;
}

// Words that overlap at the end: no loop over single bytes.
bool is_alike(const char* text, const char* known, std::size_t size) {
  if (size >= 8) {
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      if (!is_alike<std::uint64_t>(text + i, known + i)) return false;
    }
    return is_alike<std::uint64_t>(text + size - 8, known + size - 8);
  }
  if (size >= 4)
    return is_alike<std::uint32_t>(text, known) && is_alike<std::uint32_t>(text + size - 4, known + size - 4);
  return is_alike<std::uint16_t>(text, known) && is_alike<std::uint16_t>(text + size - 2, known + size - 2);
}

bool begins_with(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() && is_alike(name.data(), prefix.data(), prefix.size());
}

}  // namespace

FieldId field_id(std::string_view name) {
  if (name.size() >= 2 && name.size() <= kLongest) {
    const char first = static_cast<char>(name.front() | kCase);
    for (std::size_t i = kFirstOfLength[name.size()]; i < kFirstOfLength[name.size() + 1]; ++i) {
      const KnownName& known = kNames[i];
      if (known.name.front() == first && is_alike(name.data(), known.name.data(), name.size())) return known.id;
    }
  }
  if ((name.front() | kCase) != 'x') return FieldId::other;
  constexpr std::string_view kPhoenix = "x-phoenix-";
  if (name.size() > kPhoenix.size() && begins_with(name, kPhoenix)) return FieldId::x_phoenix;
  return begins_with(name, "x-forwarded-") ? FieldId::x_forwarded : FieldId::other;
}

}  // namespace phoenix::gateway
