// Text of somebody else's for a line on a terminal or in a log: addresses, messages of servers. Names of tenants have
// an escape of their own (module/accounting/escape.h), which keeps more apart.
#pragma once

#include <string>
#include <string_view>

namespace tenants::tool {

// Bytes that are not printable ASCII as %XX; no more than so many bytes of the text.
inline std::string printable(std::string_view text, std::size_t most = 300) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string line;
  for (char c : text.substr(0, most)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte <= '~')
      line += c;
    else
      line.append("%") += kHex[byte >> 4], line += kHex[byte & 15];
  }
  return line;
}

}  // namespace tenants::tool
