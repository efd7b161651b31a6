// One bijective escape for names in text outputs: `%XX` for every byte that is not printable ASCII and for % : = , # "
// \ ( and space. An escaped real name never starts with '(': rows of the module's own, like "(other)", can't be forged.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tenants {

std::string escape(std::string_view name);

// The bytes that a text with %XX means, whether or not they had to be written so; nothing where a % is not followed by
// two digits of 0-9A-F.
std::optional<std::string> decode_percent(std::string_view text);

// The inverse; nothing where `text` is not something that escape() returns.
std::optional<std::string> unescape(std::string_view text);

}  // namespace tenants
