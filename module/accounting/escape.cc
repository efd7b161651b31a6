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

std::optional<std::string> decode_percent(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      name += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    std::size_t high = kHex.find(text[i + 1]), low = kHex.find(text[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    name += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return name;
}

std::optional<std::string> unescape(std::string_view text) {
  std::optional<std::string> name = decode_percent(text);
  return name && escape(*name) == text ? name : std::nullopt;
}

}  // namespace tenants
