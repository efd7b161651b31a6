#include "module/accounting/escape.h"

namespace tenants {
namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

bool is_plain(unsigned char byte) {
  return byte > ' ' && byte < 0x7f &&
         std::string_view("%:=,#\"\\(").find(static_cast<char>(byte)) == std::string_view::npos;
}

}  // namespace

std::string escape(std::string_view name) {
  std::string text;
  text.reserve(name.size() + 8);
  for (unsigned char byte : name) {
    if (is_plain(byte)) {
      text += static_cast<char>(byte);
    } else {
      text += '%';
      text += kHex[byte >> 4];
      text += kHex[byte & 15];
    }
  }
  return text;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = static_cast<unsigned char>(text[i]);
    if (byte == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      std::size_t high = kHex.find(text[i + 1]), low = kHex.find(text[i + 2]);
      if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
      byte = static_cast<unsigned char>(high << 4 | low);
      if (is_plain(byte)) return std::nullopt;
      i += 2;
    } else if (!is_plain(byte)) {
      return std::nullopt;
    }
    name += static_cast<char>(byte);
  }
  return name;
}

}  // namespace tenants
