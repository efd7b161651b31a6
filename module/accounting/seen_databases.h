// What passes saw of each database, and of each prefix in it whose keys lie in more than one.
//
// A prefix has a record for each database only from the moment when a pass meets it in a second one, so where tenants
// keep to one database there is none. Bounded; what has no room is not known.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "module/accounting/seen_keys.h"
#include "module/accounting/steady_table.h"

namespace tenants {

class SeenDatabases {
 public:
  static constexpr std::size_t kMost = 1024;       // databases
  static constexpr std::size_t kMostPairs = 4096;  // of a database and a prefix; some 600 bytes each

  struct Database : SeenKeys {
    std::uint32_t identity = 0;  // from 1; stays its own when SWAPDB gives it another number
  };

  // Null where there is no room. O(log databases).
  Database* make(int db);
  // Null where nothing is known of it.
  const Database* find(int db) const;
  // The prefix of this row in the database of this identity, likewise. `name` stands for its name, since rows change
  // hands. O(1).
  SeenKeys* make_pair(std::uint32_t database, std::uint32_t row, std::uint64_t name);
  const SeenKeys* find_pair(std::uint32_t database, std::uint32_t row, std::uint64_t name) const;

  void clear() { databases_.clear(); }
  void forget(int db) { databases_.erase(db); }
  void swap(int a, int b);  // what nobody knows of one is forgotten of the other
  template <typename IsGone>
  void forget_if(IsGone is_gone) {
    std::erase_if(databases_, [&](const auto& entry) { return is_gone(entry.first); });
  }
  // Gives up those of a few pairs that neither of these passes has met. O(1), to be called now and then.
  void tidy(std::uint64_t pass, std::uint64_t complete);
  std::size_t pairs() const { return pairs_ ? pairs_->size() : 0; }

 private:
  struct Pair {
    std::uint64_t id = 0;  // database and row
    std::uint32_t next = 0;
    std::uint64_t name = 0;
    SeenKeys keys;
  };
  static std::uint64_t id_of(std::uint32_t database, std::uint32_t row) { return std::uint64_t{database} << 32 | row; }

  std::map<int, Database> databases_;
  std::uint32_t identities_ = 0;  // given so far
  std::optional<SteadyTable<Pair, 64>> pairs_;
  std::uint32_t next_tidied_ = 0;  // the place to go on from
};

}  // namespace tenants
