// Patterns as in KEYS and SCAN: * ? [abc] [a-z] [^a] and \ before a byte that is meant as it is. As in the server, the
// ends of a range are compared as the machine's `char`: with a sign on x86, so that [a-\xff] is all from \xff (-1) to
// a.
#pragma once

#include <cstddef>
#include <string_view>

namespace tenants {

// Does the whole of `text` match? O(length of both, multiplied) at worst; no allocation, no recursion. A bracket that
// is not closed ends with the pattern.
bool matches(std::string_view pattern, std::string_view text);

// How much of the pattern, which is not empty, is its first element: a star, ?, a bracket, or a byte, with its
// backslash.
std::size_t element_size(std::string_view pattern);

}  // namespace tenants
