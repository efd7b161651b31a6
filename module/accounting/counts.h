// How many keys there are, by prefix row and by database.
//
// Both sums are always known. Which keys of a row lie in which database is needed when one database is flushed alone.
// The first database that gets a key, `home`, has no record of its own: its are the keys that no other one has. The
// others have a record for each row of which they hold keys. There are kMostRecords at most: beyond that all are
// forgotten, and the keys have to be counted anew when one database is flushed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "module/accounting/steady_table.h"

namespace tenants {

class Counts {
 public:
  static constexpr std::size_t kMostRecords = std::size_t{1} << 16;  // 2 MB

  explicit Counts(std::size_t rows) : by_row_(rows) {}

  // O(log databases). No memory for the database: throws, and nothing has changed.
  void add(int db, std::uint32_t row, std::int64_t keys);
  // False where nobody knows how many keys of each row that takes away: then the rows are as before. O(rows) for
  // `home`, O(records) for others: 0.1 ms for all of them.
  [[nodiscard]] bool clear(int db);
  void clear();             // O(rows + databases)
  void swap(int a, int b);  // O(log databases)
  // The keys of these rows, ascending, are another's from now on. O(records log rows).
  void move(std::span<const std::uint32_t> from, std::uint32_t to);

  std::int64_t row(std::uint32_t row) const { return by_row_[row]; }
  std::int64_t database(int db) const {
    auto found = databases_.find(db);
    return found == databases_.end() ? 0 : found->second.total;
  }
  bool has(int db) const { return databases_.contains(db); }
  // Calls `visit(db, keys)` for each database that has had keys.
  template <typename Visit>
  void for_each_database(Visit visit) const {
    for (const auto& [db, database] : databases_) visit(db, database.total);
  }
  std::int64_t total() const { return total_; }
  // Calls `visit(row, db, keys)` for each of these rows, ascending, and each database in which it has keys. False, and
  // no call, where records were forgotten. O(rows + databases + records log rows).
  template <typename Visit>
  bool for_each_place(std::span<const std::uint32_t> rows, Visit visit) const;
  std::uint64_t distance(const Counts& other) const;  // Σ |this − other| over the rows
  std::size_t records() const { return records_ ? records_->size() : 0; }

 private:
  struct Database {
    std::int64_t total = 0;
    std::uint32_t identity = 0;  // stays its own when SWAPDB gives it another number
  };
  struct Record {
    std::uint64_t id = 0;  // identity and row
    std::int64_t keys = 0;
    std::uint32_t next = 0;
  };
  static std::uint64_t id_of(std::uint32_t identity, std::uint32_t row) { return std::uint64_t{identity} << 32 | row; }

  void record(std::uint32_t identity, std::uint32_t row, std::int64_t keys) noexcept;
  void erase(std::uint64_t id);
  void erase_some();
  void drop_records();
  void forget_records();
  template <typename Visit>
  void for_each_record(Visit visit) {
    constexpr std::uint32_t kAtATime = 1024;
    if (!records_) return;
    std::uint32_t place = 0;
    do place = records_->visit_some(place, kAtATime, visit);
    while (place != 0);
  }

  std::vector<std::int64_t> by_row_;
  std::map<int, Database> databases_;  // that have keys, or had since the last FLUSHALL: of these some are forgotten
  std::uint32_t identities_ = 0;       // given so far
  std::int64_t total_ = 0;
  std::uint32_t home_ = 0;  // an identity; 0: no database has had a key
  std::optional<SteadyTable<Record>> records_;
  std::uint32_t next_erased_ = 0;  // the place to go on from
  bool recorded_ = true;           // all that should be
};

template <typename Visit>
bool Counts::for_each_place(std::span<const std::uint32_t> rows, Visit visit) const {
  if (!recorded_) return false;
  std::unordered_map<std::uint32_t, int> numbers;
  for (const auto& [db, database] : databases_) numbers[database.identity] = db;
  std::vector<std::int64_t> at_home;
  for (std::uint32_t row : rows) at_home.push_back(by_row_[row]);
  const_cast<Counts*>(this)->for_each_record([&](const Record& record) {
    auto row = std::ranges::lower_bound(rows, static_cast<std::uint32_t>(record.id));
    if (row == rows.end() || *row != static_cast<std::uint32_t>(record.id)) return;
    at_home[static_cast<std::size_t>(row - rows.begin())] -= record.keys;
    auto number = numbers.find(static_cast<std::uint32_t>(record.id >> 32));
    if (record.keys > 0 && number != numbers.end()) visit(*row, number->second, record.keys);
  });
  if (auto home = numbers.find(home_); home != numbers.end())
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (at_home[i] > 0) visit(rows[i], home->second, at_home[i]);
  return true;
}

}  // namespace tenants
