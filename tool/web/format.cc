#include "tool/web/format.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace tenants::tool::web {

namespace {

std::string with_digits(double value, int digits) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

}  // namespace

std::string html(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string encoded(std::string_view text) {
  std::string address;
  for (char c : text) {
    static constexpr const char* kHex = "0123456789ABCDEF";
    auto byte = static_cast<unsigned char>(c);
    bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (plain)
      address += c;
    else
      address.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return address;
}

std::string rate(double value) { return value > 0 && value < 0.05 ? "<0.1" : count(value); }

std::string count(double value) {
  bool fraction = std::abs(value) < 9.95 && value != std::floor(value);
  std::string text = with_digits(value, fraction ? 1 : 0);
  std::size_t point = std::min(text.find('.'), text.size());
  for (std::size_t i = point; i > 3 && text[i - 4] != '-'; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string bytes(double value) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (std::abs(value) >= 1023.5 && unit + 1 < std::size(kUnits)) value /= 1024, ++unit;
  int digits = unit == 0 || std::abs(value) >= 99.95 ? 0 : std::abs(value) >= 9.995 ? 1 : 2;
  return with_digits(value, digits) + " " + kUnits[unit];
}

std::string percent(double value) { return with_digits(value, value >= 99.95 ? 0 : 1) + " %"; }

std::string duration(double seconds) {
  auto whole = static_cast<std::uint64_t>(std::max(0.0, seconds));
  auto two = [](std::uint64_t a, const char* a_unit, std::uint64_t b, const char* b_unit) {
    return std::to_string(a) + a_unit + (b ? " " + std::to_string(b) + b_unit : "");
  };
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min";
  if (whole < 86400) return two(whole / 3600, " h", whole / 60 % 60, " min");
  return two(whole / 86400, " d", whole / 3600 % 24, " h");
}

std::string moment(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[96];
  std::strftime(text, sizeof text, "<time datetime=\"%FT%TZ\">%F %T UTC</time>", &parts);
  return text;
}

}  // namespace tenants::tool::web
