// To which prefix does a key belong? Of the ACL's patterns that match it to the one with the longest literal head, then
// to the longer one; else to its first segment (an orphan), else to "(none)". Where tenants.prefixes names one, its row
// takes from such a pattern that is a head and a star, or from an orphan, what begins with the longer name.
//
// One row per pattern, fixed capacity. match() is one walk over the head of the key: it hashes byte by byte and looks
// the hash up at each length that some head has, and at the first separator. Patterns that are more than a head and a
// star are then tried one by one, kMostMatching of one head at most; where there are none, that costs nothing. Patterns
// that hold in some databases only are found by head and database, likewise. No allocation unless a new orphan gets its
// row.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "module/accounting/acl.h"
#include "module/accounting/chunks.h"
#include "module/accounting/lookups.h"
#include "module/accounting/seen_keys.h"
#include "module/accounting/steady_table.h"

namespace tenants {

struct Prefix : SeenKeys {
  std::string name;
  std::uint64_t hash = 0;   // of its name and what it covers
  std::uint32_t owner = 0;  // row of the user table; 0: nobody's
  std::uint32_t users = 0;  // that have this pattern, to read or to write
  bool in_acl = false;
  bool named = false;  // by tenants.prefixes
  bool left = false;   // was one of these: its keys are another's, whose they are only a new count tells
  Covers covers = Covers::kBelow;
  // Of a pattern that holds in some databases only: where in its name the glob begins (else 0), how much of that is the
  // name it would have if it held in all (0: it has none), and what it would cover.
  std::uint32_t glob = 0, plain = 0;
  Covers plain_covers = Covers::kMatching;
  Cache cache;

  bool is_orphan() const { return !in_acl && !named; }  // its row may be another's once it is empty

  // Its keys count here from now on.
  void take_over(Prefix& other);
};

class PrefixTable {
 public:
  static constexpr std::uint32_t kNone = 0;   // "(none)"
  static constexpr std::uint32_t kOther = 1;  // "(other)"
  static constexpr std::uint32_t kFirst = 2;
  static constexpr std::size_t kLongestName = 256;  // a longer first segment falls under "(other)"
  static constexpr std::size_t kMostMatching = 64;  // patterns (Covers::kMatching) with the same head; more own nothing
  static constexpr std::size_t kMostPlaces = std::size_t{1} << 16;  // pairs of head and database; more own nothing

  // `seed` keys the hash, so that nobody can craft names that collide.
  PrefixTable(std::size_t capacity, std::string separators, std::uint64_t seed);

  // The row of a key in this database. Makes the row of an orphan seen for the first time, as long as there is room.
  std::uint32_t match(int db, std::string_view key) { return match(db, key, true); }
  // The row that it has or would fall under now: makes none.
  std::uint32_t find(int db, std::string_view key) { return match(db, key, false); }
  // Some pattern holds in some databases only.
  bool limited() const { return limited_ > 0; }

  // The name to be shown. "app1:" where ~app1:* holds in some databases only and is the only pattern of that name: then
  // orphans that begin so in other databases are `elsewhere`. No two rows have the same title, covers and elsewhere.
  struct Title {
    std::string_view name;
    Covers covers;
    bool elsewhere;
  };
  Title title(std::uint32_t row) const;
  // The rows with this very title, of the ACL or not. O(1), or O(rows) where some pattern holds in some databases only.
  std::vector<std::uint32_t> named(std::string_view name) const;

  // A pattern of the ACL comes: gives it a row, or takes that of the orphan of this name. Where the table is full,
  // `make_room` shall release an orphan's row, or return false. O(different lengths of heads).
  struct Entered {
    std::uint32_t row = 0;    // 0: no room, or the name is too long, or too many have this head
    bool moves_keys = false;  // keys that have been counted may now belong elsewhere: count again
    bool is_new = false;      // it was not there before
    std::uint64_t full = 0;   // the place for which these are too many, or kAllPlaces
  };
  Entered enter_acl(
      std::string_view name, Covers covers, const std::function<bool()>& make_room = [] { return false; });
  // It goes: the row is an orphan's from now on. True where that moves keys. No memory.
  bool leave_acl(std::uint32_t row);
  static constexpr std::uint64_t kAllPlaces = ~std::uint64_t{0};  // there are kMostPlaces of them
  bool has_room_at(std::uint64_t id) const {
    if (id == kAllPlaces) return places_.size() < kMostPlaces;
    const Place* place = places_.find(id);
    return !place || place->rows.size() < kMostMatching;
  }
  // Calls `visit(id)` for each place that a row has, or had as long as it was of the ACL. No memory.
  template <typename Visit>
  void for_each_place_of(std::uint32_t row, Visit visit) const {
    if (rows_[row].covers == Covers::kMatching) for_each_place(rows_[row].name, visit);
  }
  // The same for a name of tenants.prefixes.
  Entered enter_named(
      std::string_view name, const std::function<bool()>& make_room = [] { return false; });
  bool leave_named(std::uint32_t row);
  // The row of the user who owns it: of one that is only named, or that has left, the owner of what covers it; 0:
  // nobody. O(1), of these O(different lengths of heads).
  std::uint32_t owner(std::uint32_t row) const;
  // Stands for a pattern, also where it has no row; never 0.
  std::uint64_t identity(std::string_view name, Covers covers) const { return never_0(hash_of(name, covers)); }
  // Of this row's pattern or name: rows change hands. O(1).
  std::uint64_t identity(std::uint32_t row) const { return never_0(rows_[row].hash); }
  // All keys have to be counted again. Rows of orphans stay until they are empty.
  void set_separators(std::string separators) { separators_ = std::move(separators); }
  const std::string& separators() const { return separators_; }

  // Frees those of the next `count` rows from `row` on for which `is_empty(row)` holds, orphans only. Their keys must
  // be none, or be counted in "(other)". Returns the row to go on from, 0 at the end.
  template <typename IsEmpty>
  std::uint32_t reclaim(std::uint32_t row, std::uint32_t count, IsEmpty is_empty) {
    row = std::max(row, kFirst);
    for (; count > 0 && row < end(); --count, ++row)
      if (!rows_[row].name.empty() && rows_[row].is_orphan() && !rows_[row].was_met_in(period_) && is_empty(row))
        release(row);
    return row < end() ? row : 0;
  }
  // Keys are met at random in this period from now on; rows of those met in it, or in the one before, are kept.
  void begin_period(std::uint64_t period) { period_ = period; }
  // What its cache counted goes to "(other)".
  void release(std::uint32_t row);
  // Gives this orphan a row. Its keys must be counted anew.
  void adopt(std::string_view name);
  // The first segment of a key that counts in "(other)" for want of a row; empty where its name is too long.
  std::string_view segment_of(std::string_view key) const;
  // Gives rows to new orphans again. Only where "(other)" is empty, or all keys are about to be counted anew.
  void reopen() { full_ = false; }
  bool full() const { return full_; }
  std::size_t room() const { return free_.size() + kFirst + capacity_ - rows_.size(); }
  bool has_room() const { return room() > 0; }

  Prefix& operator[](std::uint32_t row) { return rows_[row]; }
  const Prefix& operator[](std::uint32_t row) const { return rows_[row]; }
  bool used(std::uint32_t row) const { return row < kFirst || !rows_[row].name.empty(); }
  std::uint32_t end() const { return static_cast<std::uint32_t>(rows_.size()); }
  std::size_t in_use() const { return in_use_; }
  std::size_t capacity() const { return capacity_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t row = 0;  // 0: empty
  };
  struct Place {
    std::uint64_t id = 0;  // the hash of a head, or of that in a database
    std::uint32_t next = 0;
    std::vector<std::uint32_t> rows;  // Covers::kMatching, in the ACL; the longest first
  };

  std::uint64_t step(std::uint64_t hash, char byte) const {
    return (hash ^ static_cast<unsigned char>(byte)) * multiplier_;
  }
  std::uint32_t match(int db, std::string_view key, bool may_make);
  std::uint64_t hash_of(std::string_view name, Covers covers) const;
  std::uint32_t find(std::uint64_t hash, std::string_view name, Covers covers) const;
  std::uint32_t find_in_acl(std::uint64_t hash, std::string_view name, Covers covers) const;
  static std::uint64_t hash_in(int db, std::uint64_t hash) {
    return hash ^ (static_cast<std::uint64_t>(db) + 1) * 0xd6e8feb86659fd93u;
  }
  static std::uint64_t never_0(std::uint64_t hash) { return hash ? hash : 1; }
  const Place* place(std::uint64_t hash) const { return places_.find(never_0(hash)); }
  std::uint32_t find_matching(std::uint64_t hash, std::string_view key) const;
  std::string_view plain_name(const Prefix& prefix) const {
    return std::string_view(prefix.name).substr(prefix.glob, prefix.plain);
  }
  bool is_only_plain(std::uint64_t id) const {
    auto found = plain_.find(id);
    return found != plain_.end() && found->second == 1;
  }
  // Calls `visit(id)` for the place where a pattern of this name is found, or for that in each of its databases.
  // Returns the length of its head. No memory.
  template <typename Visit>
  std::uint32_t for_each_place(std::string_view name, Visit visit) const {
    Limits limits = limits_of_name(name);
    std::uint64_t hash = seed_;
    std::uint32_t length = 0;
    for_each_byte_of_head(limits.glob, [&](char byte) { hash = step(hash, byte), ++length; });
    if (limits.databases.empty()) visit(never_0(hash));
    for_each_database(limits.databases, [&](int db) { visit(never_0(hash_in(db, hash))); });
    return length;
  }
  bool goes_before(std::uint32_t a, std::uint32_t b) const;
  void make_places(const std::vector<std::uint64_t>& places);
  void erase_if_empty(std::uint64_t id);
  std::uint32_t make(std::uint64_t hash, std::string_view name, Covers covers);
  Entered enter(std::string_view name, Covers covers, bool Prefix::*by, const std::function<bool()>& make_room);
  bool leave(std::uint32_t row, bool Prefix::*by);
  // Where the first segment of a key ends: at a separator that is not in front.
  std::size_t end_of_segment(std::string_view key) const {
    return key.empty() ? std::string_view::npos : key.find_first_of(separators_, 1);
  }
  bool is_first_segment(std::string_view name) const;
  bool has_shorter(std::string_view name) const;
  bool moves_keys(const Prefix& prefix) const;

  std::size_t capacity_;
  Chunks<Prefix> rows_;  // as many as were ever in use: most servers have few, and half a megabyte is much to some
  std::vector<Slot> slots_;
  struct Length {
    std::uint32_t length, heads, matching, limited;
  };
  std::vector<Length> lengths_;  // of all heads, ascending, and how many of each; Covers::kMatching apart
  SteadyTable<Place, 32> places_;
  std::vector<std::uint32_t> free_;
  std::string separators_;
  std::uint64_t seed_;
  std::uint64_t multiplier_;
  std::uint64_t period_ = 0;
  std::size_t in_use_ = 0;
  std::size_t rows_of_one_ = 0;                             // Covers::kOne, in the ACL
  std::size_t limited_ = 0;                                 // that hold in some databases only
  std::unordered_map<std::uint64_t, std::uint32_t> plain_;  // how many of them would have this name, by its identity
  std::uint64_t dropped_ = 0;
  // A segment without a row counts in "(other)". It must go on doing so when a row gets free, or its keys would be
  // taken from a row that never counted them: only a new count gives rows to orphans again.
  bool full_ = false;
};

}  // namespace tenants
