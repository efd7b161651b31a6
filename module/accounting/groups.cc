#include "module/accounting/groups.h"

#include <algorithm>

#include "module/accounting/words.h"

namespace tenants {

std::optional<std::uint32_t> Groups::Members::find(std::string_view name) const {
  if (auto found = names.find(name); found != names.end()) return found->second;
  for (std::size_t length : lengths)
    if (length <= name.size())
      if (auto found = heads.find(name.substr(0, length)); found != heads.end()) return found->second;
  return std::nullopt;
}

std::optional<std::uint32_t> Groups::find(std::string_view name) const {
  auto found = by_name_.find(name);
  return found == by_name_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint32_t> Groups::of_user(std::string_view name) const {
  std::optional<std::uint32_t> group = users_.find(name);
  return group ? group : find(name);
}

std::optional<std::string> Groups::parse(std::string_view text) {
  while (!text.empty()) {
    std::string_view words = take_word(text, ' ');
    if (words.empty()) continue;
    if (words.find('=') == std::string_view::npos)
      return "allowed is name=member,member: " + quoted(words) + " has no =";
    std::optional<std::string> name = decode_percent(take_word(words, '='));
    if (!name) return kPercentRule;
    if (name->empty() || name->size() > 512) return "a group's name has 1 to 512 bytes";
    if (!by_name_.emplace(*name, names_.size()).second) return "group " + quoted(*name) + " is there twice";
    if (names_.size() == kMost) return "there are more than 1000 groups";
    auto group = static_cast<std::uint32_t>(names_.size());
    names_.push_back(*name);
    if (words.empty()) return "group " + quoted(*name) + " has no members";
    if (words.ends_with(',')) return "group " + quoted(*name) + " has a member without a name";
    while (!words.empty()) {
      std::string_view member = take_word(words, ',');
      Members& members = member.starts_with('~') ? prefixes_ : users_;
      if (&members == &prefixes_) member.remove_prefix(1);
      bool pattern = member.ends_with('*');
      if (pattern) member.remove_suffix(1);
      std::optional<std::string> decoded = decode_percent(member);
      if (!decoded) return kPercentRule;
      if (decoded->empty()) return "group " + quoted(*name) + " has a member without a name";
      if (!(pattern ? members.heads : members.names).emplace(*decoded, group).second)
        return "member " + quoted(*decoded) + " is there twice";
    }
  }
  for (Members* members : {&users_, &prefixes_}) {
    for (const auto& [head, group] : members->heads) members->lengths.push_back(head.size());
    std::ranges::sort(members->lengths, std::ranges::greater());
    members->lengths.erase(std::unique(members->lengths.begin(), members->lengths.end()), members->lengths.end());
  }
  return std::nullopt;
}

std::optional<std::string> Groups::set(std::string_view text) {
  Groups fresh;
  if (auto wrong = wrong_words(text)) return wrong;
  if (auto wrong = fresh.parse(text)) return wrong;
  fresh.text_ = text;
  *this = std::move(fresh);
  return std::nullopt;
}

}  // namespace tenants
