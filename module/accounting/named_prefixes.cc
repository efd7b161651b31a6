#include "module/accounting/named_prefixes.h"

#include <algorithm>

#include "module/accounting/escape.h"
#include "module/accounting/prefixes.h"

namespace tenants {

std::optional<std::string> NamedPrefixes::set(std::string_view text) {
  NamedPrefixes fresh;
  if (text.size() > 65536) return "allowed are 65536 bytes";
  for (char byte : text)
    if (byte < ' ' || byte > '~') return "allowed is printable ASCII, other bytes of a name as %XX";
  fresh.text_ = text;
  while (!text.empty()) {
    std::size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    std::string quoted = "'" + escape(word) + "'";
    if (word.starts_with('~')) return "a prefix is written without ~ in front: " + quoted + "; %7E is the byte itself";
    if (word.ends_with('*')) word.remove_suffix(1);
    if (word.find('*') != std::string_view::npos)
      return "a * is allowed at the end of a prefix only: " + quoted + "; %2A is the byte itself";
    std::optional<std::string> name = decode_percent(word);
    if (!name) return "allowed is %XX with two digits of 0-9A-F";
    if (name->empty() || name->size() > PrefixTable::kLongestName) return "a prefix has 1 to 256 bytes: " + quoted;
    if (fresh.names_.size() == kMost) return "there are more than 1000 prefixes";
    fresh.names_.push_back(std::move(*name));
  }
  std::ranges::sort(fresh.names_);
  auto twice = std::ranges::adjacent_find(fresh.names_);
  if (twice != fresh.names_.end()) return "prefix '" + escape(*twice) + "' is there twice";
  *this = std::move(fresh);
  return std::nullopt;
}

bool NamedPrefixes::contains(std::string_view name) const { return std::ranges::binary_search(names_, name); }

}  // namespace tenants
