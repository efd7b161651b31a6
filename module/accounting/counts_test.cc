#include "module/accounting/counts.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tenants {
namespace {

TEST(Counts, equal_those_of_a_map_after_random_changes) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  auto pick = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  for (int round = 0; round < 200; ++round) {
    constexpr int kDatabases = 6, kRows = 9;
    Counts counts(kRows);
    std::map<int, std::map<int, std::int64_t>> truth;  // by database and row
    for (int i = 0; i < 400; ++i) {
      int db = pick(kDatabases), other = pick(kDatabases), row = pick(kRows), to = pick(kRows), what = pick(100);
      if (what < 60) {
        counts.add(db, static_cast<std::uint32_t>(row), 1), ++truth[db][row];
      } else if (what < 90) {
        if (truth[db][row] > 0) counts.add(db, static_cast<std::uint32_t>(row), -1), --truth[db][row];
      } else if (what < 93) {
        ASSERT_TRUE(counts.clear(db));
        truth.erase(db);
      } else if (what < 96) {
        counts.swap(db, other), std::swap(truth[db], truth[other]);
      } else if (what < 99 && row != to) {
        std::vector<std::uint32_t> from{static_cast<std::uint32_t>(row)};
        if (int more = pick(kRows); more > row && more != to) from.push_back(static_cast<std::uint32_t>(more));
        counts.move(from, static_cast<std::uint32_t>(to));
        for (auto& [number, rows] : truth)
          for (std::uint32_t moved : from) rows[to] += std::exchange(rows[static_cast<int>(moved)], 0);
      } else if (what == 99 && pick(4) == 0) {
        counts.clear(), truth.clear();
      }
      std::int64_t total = 0;
      std::map<int, std::int64_t> by_row;
      for (auto& [number, rows] : truth) {
        std::int64_t in_all = 0;
        for (auto& [name, keys] : rows) in_all += keys, by_row[name] += keys;
        ASSERT_EQ(counts.database(number), in_all) << "seed " << seed;
        total += in_all;
      }
      ASSERT_EQ(counts.total(), total) << "seed " << seed;
      for (int name = 0; name < kRows; ++name)
        ASSERT_EQ(counts.row(static_cast<std::uint32_t>(name)), by_row[name]) << "seed " << seed;
    }
  }
}

TEST(Counts, one_database_alone_takes_no_record_whatever_its_number) {
  Counts counts(1000);
  for (std::uint32_t row = 0; row < 1000; ++row) counts.add(7, row, 1);
  EXPECT_EQ(counts.records(), 0u);
  counts.add(2, 5, 1);
  EXPECT_EQ(counts.records(), 1u);
  counts.add(2, 5, -1);
  EXPECT_EQ(counts.records(), 0u);
}

TEST(Counts, beyond_a_bound_a_flush_of_one_database_is_not_known_by_row_and_one_of_all_is) {
  constexpr int kRows = 1000;
  Counts counts(kRows);
  counts.add(0, 0, 1);
  int db = 1;
  for (std::size_t added = 0; added <= Counts::kMostRecords; ++added) {
    ASSERT_EQ(counts.records(), added);
    counts.add(db, static_cast<std::uint32_t>(added % kRows), 1);
    if (added % kRows == kRows - 1) ++db;
  }
  EXPECT_EQ(counts.records(), 0u);
  EXPECT_EQ(counts.database(1), kRows);
  EXPECT_FALSE(counts.clear(1));
  EXPECT_EQ(counts.database(1), 0);
  EXPECT_EQ(counts.total(), static_cast<std::int64_t>(Counts::kMostRecords) + 2 - kRows);
  counts.clear();
  EXPECT_EQ(counts.row(0), 0);
  counts.add(0, 0, 1), counts.add(1, 0, 1);
  EXPECT_TRUE(counts.clear(0));
  EXPECT_EQ(counts.row(0), 1);
}

TEST(Counts, the_last_database_that_holds_keys_is_always_known) {
  Counts counts(2);
  counts.add(0, 0, 1);
  for (int db = 1; db <= static_cast<int>(Counts::kMostRecords) + 1; ++db) counts.add(db, 1, 1);
  for (int db = 1; db <= static_cast<int>(Counts::kMostRecords); ++db) EXPECT_FALSE(counts.clear(db));
  counts.add(static_cast<int>(Counts::kMostRecords) + 1, 1, -1);
  EXPECT_TRUE(counts.clear(0));
  EXPECT_EQ(counts.row(1), 0);
  EXPECT_EQ(counts.total(), 0);
}

}  // namespace
}  // namespace tenants
