#include "tool/views/format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace tenants::tool {

namespace {

std::string print(const char* format, double value, const char* unit = "") {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value, unit);
  return text.data();
}

// Three digits, or four without a unit.
std::string scaled(double value, double step, const char* const* units) {
  if (value < 9999.5) return print("%.0f", value);
  while (value >= 999.5 && units[1][0] != '\0') value /= step, ++units;
  return print(value < 9.995 ? "%.2f%s" : value < 99.95 ? "%.1f%s" : "%.0f%s", value, *units);
}

constexpr const char* kThousands[] = {"", "k", "M", "G", "T", "P", "E", ""};
constexpr const char* kBinary[] = {"", "K", "M", "G", "T", "P", "E", ""};

std::string span_of(double seconds) {
  if (seconds < 0.0005) return seconds > 0 ? "<1ms" : "0s";
  if (seconds < 1) return print("%.0fms", seconds * 1000);
  if (seconds < 99.95) return print(seconds < 9.995 ? "%.2fs" : "%.1fs", seconds);
  auto whole = static_cast<long long>(seconds);
  auto two = [](long long large, const char* unit, long long small, const char* small_unit) {
    std::string rest = std::to_string(small);
    return std::to_string(large) + unit + (rest.size() < 2 ? "0" : "") + rest + small_unit;
  };
  if (whole < 6000) return two(whole / 60, "m", whole % 60, "s");
  if (whole < 360000) return two(whole / 3600, "h", whole / 60 % 60, "m");
  if (whole < 8640000) return two(whole / 86400, "d", whole / 3600 % 24, "h");
  return std::to_string(whole / 86400) + "d";
}

}  // namespace

Unit unit_of(Table table, std::size_t column) {
  std::string_view name = columns(table)[column].name;
  if (name.starts_with("bytes")) return Unit::kBytes;
  if (name.ends_with("_usec")) return Unit::kUsec;
  if (name.ends_with("_msec")) return Unit::kMsec;
  return columns(table)[column].kind == Column::kShare ? Unit::kShare : Unit::kCount;
}

std::string human(Unit unit, std::uint64_t value) {
  if (value == kAbsent) return "-";
  auto number = static_cast<double>(value);
  switch (unit) {
    case Unit::kBytes:
      return scaled(number, 1024, kBinary);
    case Unit::kUsec:
      return span_of(number / 1e6);
    case Unit::kMsec:
      return span_of(number / 1e3);
    case Unit::kShare:
      return print(value < 1000 && value >= 995 ? ">99%%" : "%.0f%%", number / 10);
    default:
      return scaled(number, 1000, kThousands);
  }
}

std::string human_rate(Unit unit, double value) {
  if (value == 0) return "0";
  if (value < 0.05) return "<0.1";
  if (value < 99.95) return print("%.1f", value);
  return unit == Unit::kBytes ? scaled(value, 1024, kBinary) : scaled(value, 1000, kThousands);
}

std::string human_change(Unit unit, long long change, bool raw_number) {
  auto size = static_cast<std::uint64_t>(change < 0 ? -change : change);
  return (change < 0 ? "-" : change > 0 ? "+" : "") + (raw_number ? raw(unit, size) : human(unit, size));
}

std::string raw(Unit unit, std::uint64_t value) {
  if (value == kAbsent) return "";
  return unit == Unit::kShare ? print("%.3f", static_cast<double>(value) / 1000) : std::to_string(value);
}

std::string local_moment(std::uint64_t unix_msec) {
  auto time = static_cast<std::time_t>(unix_msec / 1000);
  std::tm local{};
  localtime_r(&time, &local);
  char text[32];
  std::strftime(text, sizeof text, "%F %T", &local);
  return text;
}

std::string human_error(std::uint64_t value, std::uint64_t error) {
  if (value == kAbsent) return "-";
  if (error == kAbsent) return "?";
  if (error == 0) return "0%";
  double percent = 100.0 * static_cast<double>(error) / static_cast<double>(std::max<std::uint64_t>(value, 1));
  if (percent >= 999.5) return ">999%";
  return print(percent < 0.05 ? "<0.1%%" : percent < 9.95 ? "%.1f%%" : "%.0f%%", percent);
}

}  // namespace tenants::tool
