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

std::pair<std::vector<std::size_t>, std::size_t> TextTable::fit(std::size_t width) const {
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
  return {widths, shown};
}

std::string TextTable::text(std::size_t width) const {
  const auto fitted = fit(width);
  const std::vector<std::size_t>& widths = fitted.first;
  const std::size_t shown = fitted.second;
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

std::string TextTable::wrapped(std::size_t width) const {
  std::size_t shown = fit(width).second;
  if (shown == header.size() || shown < 2) return text(width);
  auto part = [&](std::size_t from, std::size_t to) {
    TextTable some;
    some.left = left;
    auto pick = [&](const std::vector<std::string>& row) {
      std::vector<std::string> cells{row[0]};
      cells.insert(cells.end(), row.begin() + static_cast<std::ptrdiff_t>(from),
                   row.begin() + static_cast<std::ptrdiff_t>(to));
      return cells;
    };
    some.header = pick(header);
    for (const auto& row : rows) some.rows.push_back(pick(row));
    if (from > 1) some.left = 1;
    return some;
  };
  return part(1, shown).text(width) + part(shown, header.size()).wrapped(width);
}

std::size_t width_of_text(const std::string& text) {
  std::size_t most = 0;
  for (std::size_t at = 0, end; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    most = std::max(most, width_of(text.substr(at, end - at)));
  }
  return most;
}

std::string beside(const std::string& left, const std::string& right, std::size_t apart) {
  std::string text;
  std::size_t width = width_of_text(left) + apart, l = 0, r = 0;
  auto next = [](const std::string& from, std::size_t& at) {
    std::size_t end = std::min(from.find('\n', at), from.size());
    std::string line = at < from.size() ? from.substr(at, end - at) : "";
    at = std::min(end + 1, from.size());
    return line;
  };
  while (l < left.size() || r < right.size()) {
    std::string line = next(left, l), more = next(right, r);
    if (!more.empty()) line += std::string(width - width_of(line), ' ') + more;
    text += line + "\n";
  }
  return text;
}

}  // namespace tenants::tool
