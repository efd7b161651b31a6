#include "module/accounting/owners.h"

#include <tuple>
#include <utility>

namespace tenants {

std::uint64_t Owners::id_of(std::uint32_t user, const Name& name) {
  std::uint64_t id = name.id + user * 0x9e3779b97f4a7c15u;
  return id ? id : 1;
}

Owners::Holder& Owners::holder(std::uint32_t user) {
  if (user >= holders_.size()) holders_.resize(user + 1);
  return holders_[user];
}

bool Owners::before(std::uint32_t a, std::uint32_t b) const {
  auto rank = [&](std::uint32_t user) {
    return std::tuple(!holders_[user].enabled, holders_[user].patterns, std::string_view(users_[user].name));
  };
  return rank(a) < rank(b);
}

void Owners::show(const Name& name) {
  if (!name.row) return;
  prefixes_[name.row].owner = name.owner;
  prefixes_[name.row].users = name.holders;
}

void Owners::choose_owner(Name& name) {
  name.owner = 0;
  for (const Pattern* pattern = name.first; pattern; pattern = pattern->next_of_name)
    if (pattern->writes && (!name.owner || before(pattern->user, name.owner))) name.owner = pattern->user;
}

// The user's pattern of this name, made where there is none; null where there is no room.
Owners::Pattern* Owners::hold(std::uint32_t user, std::uint64_t hash) {
  Name* name = names_.find(hash);
  if (name)
    if (Pattern* known = patterns_.find(id_of(user, *name))) return known;
  if (patterns_.size() >= most_) return nullptr;
  bool made = !name;
  if (made) name = &names_.insert(hash);
  Pattern* pattern = nullptr;
  try {
    pattern = &patterns_.insert(id_of(user, *name));
  } catch (...) {
    if (made) names_.erase(hash);
    throw;
  }
  pattern->user = user;
  pattern->name = name;
  pattern->next_of_user = std::exchange(holders_[user].first, pattern);
  pattern->next_of_name = std::exchange(name->first, pattern);
  if (pattern->next_of_name) pattern->next_of_name->previous_of_name = pattern;
  ++name->holders;
  return pattern;
}

// The last writer takes the name out of the ACL. True where that moves keys.
bool Owners::write(Pattern& pattern, bool writes) {
  Name& name = *pattern.name;
  if (writes == std::exchange(pattern.writes, writes)) return false;
  writes ? ++name.writers : --name.writers;
  if (!writes && name.owner == pattern.user) choose_owner(name);
  if (name.writers > 0 || !name.row) return false;
  return prefixes_.leave_acl(std::exchange(name.row, 0));
}

bool Owners::take(std::uint32_t user, const KeyPattern& wanted, const std::function<bool()>& make_room) {
  Pattern* pattern = hold(user, prefixes_.identity(wanted.name, wanted.covers));
  if (!pattern) {
    lacks_room_ = true;
    return false;
  }
  bool writes = wanted.writes || (pattern->seen && pattern->writes);  // it may come several times
  pattern->seen = true;
  bool moved = write(*pattern, writes);
  Name& name = *pattern->name;
  if (writes && !name.row) {
    PrefixTable::Entered entered = prefixes_.enter_acl(wanted.name, wanted.covers, make_room);
    name.row = entered.row;
    moved |= entered.moves_keys;
    lacks_room_ |= !entered.row && !prefixes_.has_room() && wanted.name.size() <= PrefixTable::kLongestName;
  }
  return moved;
}

void Owners::remove(Pattern& pattern) {
  Name& name = *pattern.name;
  (pattern.previous_of_name ? pattern.previous_of_name->next_of_name : name.first) = pattern.next_of_name;
  if (pattern.next_of_name) pattern.next_of_name->previous_of_name = pattern.previous_of_name;
  --name.holders;
  show(name);
  patterns_.erase(pattern.id);
  if (name.holders == 0) names_.erase(name.id);
}

// Forgets what the user does not have any more.
bool Owners::drop_unseen(std::uint32_t user) {
  bool moved = false;
  for (Pattern** link = &holders_[user].first; *link;) {
    Pattern& pattern = **link;
    if (std::exchange(pattern.seen, false)) {
      link = &pattern.next_of_user;
      continue;
    }
    *link = pattern.next_of_user;
    moved |= write(pattern, false);
    remove(pattern);
  }
  return moved;
}

bool Owners::set(std::uint32_t user, const UserKeys& keys, const std::function<bool()>& make_room) {
  bool shared = user == UserTable::kOther, moved = false;
  Holder& own = holder(user);
  try {
    for (const KeyPattern& pattern : keys.patterns)
      if (!pattern.name.empty()) moved |= take(user, pattern, make_room);
  } catch (...) {
    if (!shared)
      for (Pattern* pattern = own.first; pattern; pattern = pattern->next_of_user) pattern->seen = false;
    throw;
  }
  if (!shared) moved |= drop_unseen(user);
  bool enabled = keys.enabled || shared;
  auto patterns = static_cast<std::uint32_t>(keys.patterns.size());
  bool ranked_anew = std::exchange(own.enabled, enabled) != enabled;
  ranked_anew |= std::exchange(own.patterns, patterns) != patterns;
  for (Pattern* pattern = own.first; pattern; pattern = pattern->next_of_user) {
    Name& name = *pattern->name;
    if (name.owner == user && ranked_anew)
      choose_owner(name);  // another one may come before it now
    else if (pattern->writes && (!name.owner || before(user, name.owner)))
      name.owner = user;
    show(name);
  }
  return moved;
}

bool Owners::forget_others() {
  holder(UserTable::kOther);
  return drop_unseen(UserTable::kOther);
}

}  // namespace tenants
