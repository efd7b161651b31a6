#include "tool/views/text_table.h"

#include <algorithm>

namespace tenants::tool {

namespace {

constexpr std::size_t kLeastName = 12;

// In characters of UTF-8: a header may have a ±.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string cut(const std::string& text, std::size_t width) {
  if (text.size() <= width) return text;
  return width ? text.substr(0, width - 1) + "+" : "";
}

std::string TextTable::text(std::size_t width) const {
  std::vector<std::size_t> widths;
  for (const std::string& name : header) widths.push_back(width_of(name));
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  std::size_t shown = widths.size();
  if (width) {
    auto sum = [&] {
      std::size_t all = 0;
      for (std::size_t i = 0; i < shown; ++i) all += widths[i] + (i ? 2 : 0);
      return all;
    };
    std::size_t whole = widths[0], least = std::min(whole, kLeastName);
    widths[0] = least;
    while (shown > 1 && sum() > width) --shown;
    widths[0] = std::min(whole, least + (width > sum() ? width - sum() : 0));
  }
  std::string text;
  auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < shown; ++i) {
      std::string cell = i == 0 ? cut(row[0], widths[0]) : row[i];
      std::string padding(widths[i] - width_of(cell), ' ');
      line += i ? "  " : "";
      line += i < left ? cell + padding : padding + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  if (!header.empty()) add(header);
  for (const auto& row : rows) add(row);
  return text;
}

}  // namespace tenants::tool
