#include "module/accounting/server_text.h"

#include <charconv>

#include "module/accounting/words.h"

namespace tenants {

namespace {

std::optional<std::uint64_t> number_at(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// What follows `field` and `assigns`, up to `ends`; the field begins the text, or stands behind `ends`.
std::string_view value_of(std::string_view text, std::string_view field, char assigns, char ends) {
  for (std::size_t at = 0; (at = text.find(field, at)) != std::string_view::npos; at += field.size()) {
    std::size_t end = at + field.size();
    if ((at > 0 && text[at - 1] != ends) || end >= text.size() || text[end] != assigns) continue;
    return text.substr(end + 1, text.find(ends, end) - end - 1);
  }
  return {};
}

}  // namespace

std::optional<std::uint64_t> info_number(std::string_view info, std::string_view field) {
  return number_at(value_of(info, field, ':', '\n'));
}

DatabaseSizes info_databases(std::string_view info) {
  DatabaseSizes sizes;
  for (std::size_t at; (at = info.find("\ndb")) != std::string_view::npos;) {
    info.remove_prefix(at + 3);
    std::string_view line = info.substr(0, info.find('\n'));
    std::optional<std::uint64_t> db = number_at(line), keys;
    if (std::size_t value = line.find(":keys="); value != std::string_view::npos)
      keys = number_at(line.substr(value + 6));
    if (db && keys && *keys > 0) sizes.insert_or_assign(static_cast<int>(*db), *keys);
  }
  return sizes;
}

std::vector<SlotRange> slot_ranges(std::string_view text) {
  std::vector<SlotRange> ranges;
  while (!text.empty()) {
    std::string_view range = take_word(text, ' ');
    std::size_t hyphen = range.find('-');
    if (hyphen == std::string_view::npos) continue;
    std::optional<std::uint64_t> first = number_at(range), last = number_at(range.substr(hyphen + 1));
    constexpr std::uint64_t kMost = 16383;
    if (first && last && *first <= *last && *last <= kMost)
      ranges.push_back({static_cast<int>(*first), static_cast<int>(*last)});
  }
  return ranges;
}

std::string_view ClientLine::value(std::string_view field) const { return value_of(line_, field, '=', ' '); }

std::optional<std::uint64_t> ClientLine::number(std::string_view field) const { return number_at(value(field)); }

}  // namespace tenants
