#include "module/accounting/owners.h"

#include <tuple>
#include <utility>

namespace tenants {

std::uint64_t Owners::id_of(std::uint32_t user, const Head& head) {
  std::uint64_t id = head.id + user * 0x9e3779b97f4a7c15u;
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

void Owners::show(const Head& head) {
  if (!head.row) return;
  prefixes_[head.row].owner = head.owner;
  prefixes_[head.row].users = head.holders;
}

void Owners::choose_owner(Head& head) {
  head.owner = 0;
  for (const Pattern* pattern = head.first; pattern; pattern = pattern->next_of_head)
    if (pattern->writes && (!head.owner || before(pattern->user, head.owner))) head.owner = pattern->user;
}

// The user's pattern with this head, made where there is none; null where there is no room.
Owners::Pattern* Owners::hold(std::uint32_t user, std::uint64_t hash) {
  Head* head = heads_.find(hash);
  if (head)
    if (Pattern* known = patterns_.find(id_of(user, *head))) return known;
  if (patterns_.size() >= most_) return nullptr;
  bool made = !head;
  if (made) head = &heads_.insert(hash);
  Pattern* pattern = nullptr;
  try {
    pattern = &patterns_.insert(id_of(user, *head));
  } catch (...) {
    if (made) heads_.erase(hash);
    throw;
  }
  pattern->user = user;
  pattern->head = head;
  pattern->next_of_user = std::exchange(holders_[user].first, pattern);
  pattern->next_of_head = std::exchange(head->first, pattern);
  if (pattern->next_of_head) pattern->next_of_head->previous_of_head = pattern;
  ++head->holders;
  return pattern;
}

// The last writer takes the head out of the ACL. True where that moves keys.
bool Owners::write(Pattern& pattern, bool writes) {
  Head& head = *pattern.head;
  if (writes == std::exchange(pattern.writes, writes)) return false;
  writes ? ++head.writers : --head.writers;
  if (!writes && head.owner == pattern.user) choose_owner(head);
  if (head.writers > 0 || !head.row) return false;
  return prefixes_.leave_acl(std::exchange(head.row, 0));
}

bool Owners::take(std::uint32_t user, const PatternHead& wanted, const std::function<bool()>& make_room) {
  Pattern* pattern = hold(user, prefixes_.identity(wanted.head, wanted.exact));
  if (!pattern) {
    lacks_room_ = true;
    return false;
  }
  bool writes = wanted.writes || (pattern->seen && pattern->writes);  // it may come several times
  pattern->seen = true;
  bool moved = write(*pattern, writes);
  Head& head = *pattern->head;
  if (writes && !head.row) {
    PrefixTable::Entered entered = prefixes_.enter_acl(wanted.head, wanted.exact, make_room);
    head.row = entered.row;
    moved |= entered.moves_keys;
    lacks_room_ |= !entered.row && wanted.head.size() <= PrefixTable::kLongestName;
  }
  return moved;
}

void Owners::remove(Pattern& pattern) {
  Head& head = *pattern.head;
  (pattern.previous_of_head ? pattern.previous_of_head->next_of_head : head.first) = pattern.next_of_head;
  if (pattern.next_of_head) pattern.next_of_head->previous_of_head = pattern.previous_of_head;
  --head.holders;
  show(head);
  patterns_.erase(pattern.id);
  if (head.holders == 0) heads_.erase(head.id);
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
    for (const PatternHead& pattern : keys.heads)
      if (!pattern.head.empty()) moved |= take(user, pattern, make_room);
  } catch (...) {
    if (!shared)
      for (Pattern* pattern = own.first; pattern; pattern = pattern->next_of_user) pattern->seen = false;
    throw;
  }
  if (!shared) moved |= drop_unseen(user);
  bool enabled = keys.enabled || shared;
  auto patterns = static_cast<std::uint32_t>(keys.heads.size());
  bool ranked_anew = std::exchange(own.enabled, enabled) != enabled;
  ranked_anew |= std::exchange(own.patterns, patterns) != patterns;
  for (Pattern* pattern = own.first; pattern; pattern = pattern->next_of_user) {
    Head& head = *pattern->head;
    if (head.owner == user && ranked_anew)
      choose_owner(head);  // another one may come before it now
    else if (pattern->writes && (!head.owner || before(user, head.owner)))
      head.owner = user;
    show(head);
  }
  return moved;
}

bool Owners::forget_others() {
  holder(UserTable::kOther);
  return drop_unseen(UserTable::kOther);
}

}  // namespace tenants
