// Who owns which prefix, by what the ACL says of each user. Users are taken in one by one, and a user costs its own
// patterns: nothing else is looked at again.
//
// Of several users that have the same pattern only those who may write its keys count, the enabled first, then the one
// with fewest patterns (the application before the tool that sees them all), then by name. A pattern of which nobody
// may write the keys owns nothing. Patterns are kept by a hash of their name only; 48 bytes for each user's pattern, 40
// for each name. Of patterns with the same head PrefixTable::kMostMatching get rows, who comes first; the others wait,
// 56 bytes each, and who has waited longest gets the room of one that goes.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "module/accounting/acl.h"
#include "module/accounting/prefixes.h"
#include "module/accounting/steady_table.h"
#include "module/accounting/users.h"

namespace tenants {

class Owners {
 public:
  // As many patterns of users as there is room for rows of prefixes, times this.
  static constexpr std::size_t kPatternsPerRow = 16;

  Owners(PrefixTable& prefixes, const UserTable& users)
      : prefixes_(prefixes), users_(users), most_(kPatternsPerRow * (64 + prefixes.capacity())) {}

  // What the ACL says of this user now; nothing where it is gone. Where the table of prefixes is full, `make_room`
  // shall release an orphan's row, or return false. True where keys that have been counted may belong elsewhere now.
  // Where memory runs out and it throws, a part was taken in: to be called again, and keys to be counted again.
  // O(patterns before and now), and for each name that loses its owner its users.
  bool set(
      std::uint32_t user, const UserKeys& keys, const std::function<bool()>& make_room = [] { return false; });

  // Users without a row of their own share kOther: their patterns add up. Forgets those that were not set since the
  // last call, after all users have been. As above.
  bool forget_others();

  // Calls `visit(user)` for the others who may write below this row's pattern, at most so many. O(users who have it).
  template <typename Visit>
  void for_each_other(std::uint32_t row, std::size_t most, Visit visit) const {
    const Name* name = prefixes_[row].in_acl ? names_.find(prefixes_.identity(row)) : nullptr;
    for (const Pattern* pattern = name ? name->first : nullptr; pattern && most > 0; pattern = pattern->next_of_name)
      if (pattern->writes && pattern->user != name->owner) visit(pattern->user), --most;
  }

  // A user who is to be set again: for one of its patterns, which had none, there is room now. 0: there is none such.
  // After each call of set() and forget_others(), until there is none; each is followed by will_be_set(). O(users who
  // have the pattern).
  std::uint32_t gets_room() const;
  void will_be_set() { unlink(*due_.first); }

  // There are patterns for which there was no room in the table.
  bool lacks_room() const { return lacks_room_; }
  // All users are about to be set.
  void begin_all() { lacks_room_ = false; }

 private:
  struct Pattern;
  struct Name {
    std::uint64_t id = 0;
    std::uint32_t next = 0;
    std::uint32_t row = 0;  // of the table of prefixes; 0: nobody may write, or no room
    std::uint32_t owner = 0;
    std::uint32_t holders = 0, writers = 0;
    Pattern* first = nullptr;
  };
  struct Pattern {
    std::uint64_t id = 0;
    std::uint32_t next = 0;
    std::uint32_t user = 0;
    Name* name = nullptr;
    Pattern* next_of_user = nullptr;
    Pattern *next_of_name = nullptr, *previous_of_name = nullptr;
    bool writes = false, seen = false;
  };
  struct Queue;
  // A name for which there was no room at a place (of PrefixTable).
  struct Waiting {
    std::uint64_t id = 0;  // as the name's
    std::uint32_t next = 0;
    bool due = false;  // there is room: a user that writes it is to be set, or will be
    std::uint64_t place = 0;
    Queue* queue = nullptr;  // null: a user will be set
    Waiting *before = nullptr, *after = nullptr;
  };
  struct Queue {
    std::uint64_t id = 0;  // the place
    std::uint32_t next = 0;
    Waiting *first = nullptr, *last = nullptr;
  };
  struct Holder {
    Pattern* first = nullptr;
    std::uint32_t patterns = 0;
    bool enabled = false;
  };

  static std::uint64_t id_of(std::uint32_t user, const Name& name);
  Holder& holder(std::uint32_t user);
  bool before(std::uint32_t a, std::uint32_t b) const;
  bool take(std::uint32_t user, const KeyPattern& pattern, const std::function<bool()>& make_room);
  Pattern* hold(std::uint32_t user, std::uint64_t hash);
  bool write(Pattern& pattern, bool writes);
  bool drop_unseen(std::uint32_t user);
  void remove(Pattern& pattern);
  void choose_owner(Name& name);
  void show(const Name& name);
  void wait(const Name& name, std::uint64_t place);
  void wait_no_more(const Name& name);
  void link(Waiting& waiting, Queue& queue);
  void unlink(Waiting& waiting);
  void room_at(std::uint64_t place);

  PrefixTable& prefixes_;
  const UserTable& users_;
  std::size_t most_;
  SteadyTable<Name, 32> names_;
  SteadyTable<Pattern, 32> patterns_;
  SteadyTable<Waiting, 32> waiting_;
  SteadyTable<Queue, 32> queues_;  // that are not empty
  Queue due_;
  std::deque<Holder> holders_;  // by user row
  bool lacks_room_ = false;
};

}  // namespace tenants
