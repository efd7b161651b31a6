// How many keys lie under each prefix, per database.
//
// Live: the server tells of every key that appears or vanishes, and the sum of a database's counts must equal DBSIZE.
// Keys that were there before (the module was loaded late, or the ACL moved prefixes) are counted by a seeding pass
// over the whole keyspace while traffic goes on. A key that appears during the pass is remembered by a fingerprint, so
// that the pass does not count it again; a key that the pass has counted leaves a mark in a Bloom filter, so that a
// removal of a key that the pass has not met takes nothing away. DBSIZE certifies the result; a pass that fails is
// repeated. Keys in slots that move here are no part of this until they have arrived. Swept: nothing is told; each pass
// counts anew, and its result holds until the next.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "module/accounting/arriving.h"
#include "module/accounting/counts.h"
#include "module/accounting/heavy.h"
#include "module/accounting/prefixes.h"

namespace tenants {

// Much memory, which is not cleared all at once.
class Words {
 public:
  explicit Words(std::size_t size) : words_(std::make_unique_for_overwrite<std::uint64_t[]>(size)), size_(size) {}
  bool clear_some();  // 64 KiB, some 30 µs; true when all is clear
  std::uint64_t& operator[](std::size_t i) { return words_[i]; }
  std::uint64_t operator[](std::size_t i) const { return words_[i]; }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<std::uint64_t[]> words_;
  std::size_t size_, clear_ = 0;
};

// A set of 64-bit fingerprints of bounded size; the memory is there from the start.
class FingerprintSet {
 public:
  explicit FingerprintSet(std::size_t capacity);
  // To be called until it returns true, before anything else. O(1): clears a part of the memory.
  bool clear_some() { return slots_.clear_some(); }
  bool insert(std::uint64_t fingerprint);  // false: full
  bool erase(std::uint64_t fingerprint);   // false: not there
  double fill() const { return 2 * static_cast<double>(size_) / static_cast<double>(slots_.size()); }
  bool contains(std::uint64_t fingerprint) const { return slots_[place(fingerprint)] != 0; }

 private:
  std::size_t place(std::uint64_t fingerprint) const;
  Words slots_;
  std::size_t size_ = 0;
};

class BloomFilter {
 public:
  explicit BloomFilter(std::size_t keys);
  bool clear_some() { return bits_.clear_some(); }  // as above
  void add(std::uint64_t fingerprint);
  bool maybe(std::uint64_t fingerprint) const;

 private:
  Words bits_;
};

// DBSIZE of each database that has keys.
using DatabaseSizes = std::map<int, std::uint64_t>;
std::uint64_t keys_in(const DatabaseSizes& sizes);

class Keyspace {
 public:
  enum class Mode { kExact, kSeeding, kSwept };

  Keyspace(PrefixTable& prefixes, bool live, std::uint64_t seed);

  // The server's word. `db_size`: DBSIZE of that database now.
  void appeared(int db, std::string_view key);
  std::uint32_t vanished(int db, std::string_view key);  // the row it was in
  // The server said once more that `key` had vanished, which was gone already: the sum is one too low.
  void vanished_twice(int db, std::string_view key, std::uint64_t db_size);
  // After RENAME, COPY, RESTORE or MOVE made `key`: an older key of that name vanished without a word if the sum is one
  // too high.
  void replaced(int db, std::string_view key, std::uint64_t db_size);
  void flushed(int db);  // -1: all
  void swapped(int a, int b);
  // Another data set is loaded beside this one, to take its place at the end, or not.
  void begin_loading_aside();
  void loaded_aside(int db, std::string_view key);
  void end_loading_aside(bool taken);
  // These slots move here from now on; `from_start`: none of their keys has come yet.
  void import_began(std::span<const SlotRange> slots, bool from_start);
  // They do no more: what is there of them is the server's, DBSIZE and SCAN have it.
  void import_ended(std::span<const SlotRange> slots);
  bool importing() const { return arriving_ != nullptr; }

  // Releases the rows of so many orphans, those with the fewest keys; they count in "(other)" from now on. False where
  // there is none. O(rows + records of databases), whatever `most`.
  bool vacate_orphans(std::size_t most = 1);

  // What the pass that begins next needs; to be called until it returns true. O(1). Takes up to 20 MB; `scarce`: less
  // than 1 MiB, with which a pass over more than a million keys fails where many of them vanish meanwhile.
  bool prepare_pass(std::uint64_t keys, bool scarce = false);
  // Gives back what was taken for it.
  void forget_prepared();
  // A pass over the whole keyspace. `sizes`: DBSIZE of each database now. A live keyspace that is exact is only looked
  // at. `heavy`: orphans in "(other)" that get a row now, the first ones first, where there is room or another orphan
  // has fewer than half as many keys.
  void begin_pass(const DatabaseSizes& sizes, const std::vector<HeavyNames::Counted>& heavy = {});
  // Is it worth a new count to give these rows?
  bool displaces(const std::vector<HeavyNames::Counted>& heavy) const;
  void visit(int db, std::uint32_t row, std::string_view key);
  // `sizes` as above. False where the pass has to be repeated.
  bool end_pass(const DatabaseSizes& sizes);
  void abandon_pass();
  // Of the room for keys that appear during the pass: how much of it is taken, 0…1. When all is, the pass fails.
  double haste() const { return pass_ && pass_->fresh ? pass_->fresh->fill() : 0; }

  // Counts have to be taken anew: prefixes moved, or the sum is wrong. What a pass has counted so far is not taken.
  // `drift`: because something went wrong.
  void request_seeding(bool drift);
  bool wants_seeding() const { return live_ && mode_ == Mode::kSeeding; }
  // Does the sum of each database that has been used equal DBSIZE?
  template <typename DbSize>
  bool adds_up(DbSize db_size) const {
    bool same = true;
    counts_.for_each_database(
        [&](int db, std::int64_t keys) { same = same && keys == static_cast<std::int64_t>(db_size(db)); });
    return same;
  }

  // The server tells of keys.
  bool live() const { return live_; }
  Mode mode() const { return live_ ? mode_ : Mode::kSwept; }
  std::uint64_t keys(std::uint32_t row) const {
    return counts_.row(row) < 0 ? 0 : static_cast<std::uint64_t>(counts_.row(row));
  }
  // Calls `visit(row, db, keys)` for each of these rows, ascending, and each database in which it has keys; false where
  // that is not known. O(rows + databases + up to 65,536 records).
  template <typename Visit>
  bool for_each_place(std::span<const std::uint32_t> rows, Visit visit) const {
    return counts_.for_each_place(rows, visit);
  }
  std::uint64_t total() const { return static_cast<std::uint64_t>(counts_.total()); }
  std::uint64_t drift() const { return drift_; }

 private:
  static constexpr std::size_t kFreshCapacity = 1 << 18;       // 4 MiB
  static constexpr std::size_t kFreshWhereScarce = 1 << 14;    // 256 KiB
  static constexpr std::size_t kVisitedWhereScarce = 1 << 18;  // 512 KiB

  struct Pass {
    explicit Pass(std::size_t rows) : counts(rows) {}
    Counts counts;
    std::optional<FingerprintSet> fresh;  // keys that appeared since the pass began; live only
    std::optional<BloomFilter> visited;   // older keys that the pass has counted; live only
    // By how much the sum of each database fell short of DBSIZE when the pass began, and does until it ends.
    std::map<int, std::int64_t> unknown;
    bool valid = true;
  };

  bool has_arriving() const { return arriving_ && !arriving_->empty(); }
  bool is_crowded() const { return counts_.row(PrefixTable::kOther) != 0 || has_arriving(); }
  // Among those that arrive; false where it is none of these.
  bool count_arriving(int db, std::uint32_t row, std::string_view key, std::int64_t keys);
  std::uint64_t fingerprint(int db, std::string_view key) const;
  // Those with the fewest keys first. O(rows).
  std::vector<std::uint32_t> lightest_orphans(std::size_t most) const;
  void vacate(std::vector<std::uint32_t> rows);

  PrefixTable& prefixes_;
  Counts counts_;
  std::optional<FingerprintSet> next_fresh_;  // of the pass to come
  std::size_t fresh_capacity_ = 1 << 12;      // 64 KiB; more where there are many keys, or many came during a pass
  std::optional<BloomFilter> next_visited_;
  std::uint32_t reclaim_next_ = 0;  // for the pass to come: rows before it were looked at
  bool reclaimed_ = false;
  std::optional<Pass> pass_;
  std::optional<Counts> aside_;
  std::unique_ptr<Arriving> arriving_;  // while slots move here
  bool live_;
  Mode mode_ = Mode::kExact;
  bool correcting_ = false;        // the seeding was asked for because something went wrong
  bool replaced_counted_ = false;  // during a pass: the key that appeared last had been counted by it already
  std::uint64_t seed_;
  std::uint64_t drift_ = 0;
};

}  // namespace tenants
