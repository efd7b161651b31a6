#include "module/accounting/named_prefixes.h"

#include <algorithm>

#include "module/accounting/prefixes.h"
#include "module/accounting/words.h"

namespace tenants {

std::optional<std::string> NamedPrefixes::set(std::string_view text) {
  NamedPrefixes fresh;
  if (auto wrong = wrong_words(text)) return wrong;
  fresh.text_ = text;
  while (!text.empty()) {
    std::string_view word = take_word(text, ' ');
    if (word.empty()) continue;
    std::string shown = quoted(word);
    if (word.starts_with('~')) return "a prefix is written without ~ in front: " + shown + "; %7E is the byte itself";
    if (word.ends_with('*')) word.remove_suffix(1);
    if (word.find('*') != std::string_view::npos)
      return "a * is allowed at the end of a prefix only: " + shown + "; %2A is the byte itself";
    std::optional<std::string> name = decode_percent(word);
    if (!name) return kPercentRule;
    if (name->empty() || name->size() > PrefixTable::kLongestName) return "a prefix has 1 to 256 bytes: " + shown;
    if (fresh.names_.size() == kMost) return "there are more than 1000 prefixes";
    fresh.names_.push_back(std::move(*name));
  }
  std::ranges::sort(fresh.names_);
  auto twice = std::ranges::adjacent_find(fresh.names_);
  if (twice != fresh.names_.end()) return "prefix " + quoted(*twice) + " is there twice";
  *this = std::move(fresh);
  return std::nullopt;
}

bool NamedPrefixes::contains(std::string_view name) const { return std::ranges::binary_search(names_, name); }

}  // namespace tenants
