#include "tool/exporter/log.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace tenants::tool {

namespace {

std::string in_quotes(std::string_view value) {
  bool plain = !value.empty() && std::ranges::all_of(value, [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
  });
  if (plain) return std::string(value);
  std::string text = "\"";
  for (char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    if (c >= ' ' && c < 0x7f) {
      text += c;
      continue;
    }
    char hex[5];
    std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned char>(c));
    text += hex;
  }
  return text += '"';
}

}  // namespace

void log(Level level, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string>> fields) {
  static constexpr const char* kNames[] = {"info", "warn", "error"};
  auto now = std::chrono::system_clock::now();
  std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  auto msec = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char time[64];
  std::size_t size = std::strftime(time, sizeof time, "%FT%T", &parts);
  std::snprintf(time + size, sizeof time - size, ".%03dZ", static_cast<int>(msec));
  std::string line = "time=" + std::string(time) + " level=" + kNames[static_cast<int>(level)];
  line += " msg=" + in_quotes(message);
  for (const auto& [name, value] : fields) line.append(" ").append(name).append("=").append(in_quotes(value));
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace tenants::tool
