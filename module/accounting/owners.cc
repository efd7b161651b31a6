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

void Owners::link(Waiting& waiting, Queue& queue) {
  waiting.queue = &queue;
  waiting.before = queue.last;
  (queue.last ? queue.last->after : queue.first) = &waiting;
  queue.last = &waiting;
}

void Owners::unlink(Waiting& waiting) {
  Queue* queue = std::exchange(waiting.queue, nullptr);
  if (!queue) return;
  (waiting.before ? waiting.before->after : queue->first) = waiting.after;
  (waiting.after ? waiting.after->before : queue->last) = waiting.before;
  waiting.before = waiting.after = nullptr;
  if (queue != &due_ && !queue->first) queues_.erase(queue->id);
}

// There is no room for it at this place. Where it has waited there already it keeps its turn.
void Owners::wait(const Name& name, std::uint64_t place) {
  Waiting* waiting = waiting_.find(name.id);
  if (waiting && !waiting->due && waiting->place == place) return;
  Queue* queue = queues_.find(place);
  bool made = !queue;
  if (made) queue = &queues_.insert(place);
  try {
    if (!waiting) waiting = &waiting_.insert(name.id);
  } catch (...) {
    if (made) queues_.erase(place);
    throw;
  }
  unlink(*waiting);
  std::uint64_t not_taken = std::exchange(waiting->due, false) ? waiting->place : 0;
  waiting->place = place;
  link(*waiting, *queue);
  if (not_taken) room_at(not_taken);
}

void Owners::wait_no_more(const Name& name) {
  Waiting* waiting = waiting_.find(name.id);
  if (!waiting) return;
  std::uint64_t place = waiting->place;
  bool was_due = waiting->due;
  unlink(*waiting);
  waiting_.erase(name.id);
  if (was_due) room_at(place);
}

// Whose turn it is, if there is room.
void Owners::room_at(std::uint64_t place) {
  Queue* queue = queues_.find(place);
  if (!queue || !prefixes_.has_room_at(place)) return;
  Waiting& first = *queue->first;
  unlink(first);
  first.due = true;
  link(first, due_);
}

std::uint32_t Owners::gets_room() const {
  if (!due_.first) return 0;
  const Pattern* pattern = names_.find(due_.first->id)->first;
  while (!pattern->writes) pattern = pattern->next_of_name;  // there is one, or it would not wait
  return pattern->user;
}

// The last writer takes the name out of the ACL. True where that moves keys.
bool Owners::write(Pattern& pattern, bool writes) {
  Name& name = *pattern.name;
  if (writes == std::exchange(pattern.writes, writes)) return false;
  writes ? ++name.writers : --name.writers;
  if (!writes && name.owner == pattern.user) choose_owner(name);
  if (name.writers > 0) {
    Waiting* waiting = writes ? nullptr : waiting_.find(name.id);
    if (waiting && !waiting->queue) link(*waiting, due_);  // it may have been this user who was to be set
    return false;
  }
  if (!name.row) {
    wait_no_more(name);
    return false;
  }
  std::uint32_t row = std::exchange(name.row, 0);
  bool moves = prefixes_.leave_acl(row);
  if (waiting_.size() > 0) {
    prefixes_.for_each_place_of(row, [this](std::uint64_t place) { room_at(place); });
    room_at(PrefixTable::kAllPlaces);
  }
  return moves;
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
    if (entered.full)
      wait(name, entered.full);
    else
      wait_no_more(name);
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
