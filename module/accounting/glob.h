// Patterns as in KEYS and SCAN: * ? [abc] [a-z] [^a] and \ before a byte that is meant as it is.
#pragma once

#include <string_view>

namespace tenants {

// Does the whole of `text` match? O(length of both, multiplied) at worst; no allocation, no recursion. A bracket that
// is not closed ends with the pattern.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace tenants
