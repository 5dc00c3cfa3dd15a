// Text of the outside world may be any bytes; Postgres text and JSON hold UTF-8 without NUL. Pure.
#pragma once

#include <string>
#include <string_view>

namespace phoenix::arbiter {

/// The text itself when it is UTF-8 without NUL; otherwise with each offending byte spelled \xHH, so that two different
/// keys stay different.
std::string clean_text(std::string_view text);
/// The same in place: nearly all text is clean, and then nothing is copied.
void clean(std::string& text);

}  // namespace phoenix::arbiter
