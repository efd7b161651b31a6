#include "module/accounting/columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace tenants {
namespace {

std::vector<std::uint32_t> rows_of(const std::vector<Place>& places) {
  std::vector<std::uint32_t> rows;
  for (const Place& place : places) rows.push_back(place.row);
  return rows;
}

TEST(Columns, the_largest_come_first_or_the_smallest_and_the_absent_last) {
  std::vector<std::uint64_t> column = {5, kAbsent, 0, 9, kAbsent - 1, 5};
  First largest(10), smallest(10);
  for (std::uint32_t row = 0; row < column.size(); ++row) {
    largest.offer({descending(column[row]), row});
    smallest.offer({ascending(column[row]), row});
  }
  EXPECT_EQ(rows_of(largest.take()), (std::vector<std::uint32_t>{4, 3, 0, 5, 2, 1}));
  EXPECT_EQ(rows_of(smallest.take()), (std::vector<std::uint32_t>{2, 0, 5, 3, 4, 1}));
}

TEST(Columns, the_first_of_any_number_of_places_are_those_of_a_full_sort) {
  std::random_device device;
  unsigned seed = device();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::size_t rows = random() % 3000, most = random() % 120;
    std::vector<Place> places;
    First first(most);
    for (std::uint32_t row = 0; row < rows; ++row) {
      places.push_back({random() % 500, row});
      first.offer(places.back());
    }
    std::sort(places.begin(), places.end());
    places.resize(std::min(rows, most));
    ASSERT_EQ(rows_of(first.take()), rows_of(places));
  }
}

TEST(Columns, a_row_is_the_same_whether_zeros_are_noted_or_not) {
  constexpr std::size_t kWidth = 5;
  Columns columns(kWidth);
  std::minstd_rand random(1);
  columns.resize(3 * Columns::kBlock + 7);
  for (std::size_t row = 0; row < columns.rows(); ++row)
    for (std::size_t i = 0; i < kWidth; ++i)
      columns[i][row] = random() % (1 << 2 * i) ? 0 : random() % 3 == 0 ? kAbsent : random();
  using Row = std::array<std::uint64_t, kWidth>;
  std::vector<Row> plain;
  for (std::size_t row = 0; row < columns.rows(); ++row) plain.push_back(columns.row<Row>(row));
  for (std::size_t row = 0; row < columns.rows(); ++row)
    for (std::size_t i = 0; i < kWidth; ++i) ASSERT_EQ(plain[row][i], columns[i][row]);
  for (int blocks = 0; blocks <= 4; ++blocks) {
    Row values{};
    std::uint32_t filled = 0;
    for (std::size_t row = 0; row < columns.rows(); ++row) {
      ASSERT_EQ(columns.row<Row>(row), plain[row]) << row;
      filled = columns.read(row, values, filled);
      ASSERT_EQ(values, plain[row]) << row;
    }
    EXPECT_EQ(columns.note_zeros(), blocks < 4);
  }
  columns.forget_zeros();
  columns[4][70] = 17;
  EXPECT_EQ(columns.row<Row>(70)[4], 17u);
}

TEST(PackedColumns, give_back_every_number) {
  std::random_device device;
  unsigned seed = device();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    Columns columns(5);
    columns.resize(random() % 300);
    for (std::size_t i = 0; i < columns.width(); ++i) {
      std::uint64_t base = random(), bits = random() % 65;
      for (auto& value : columns[i]) {
        value = base + (bits ? random() >> (64 - bits) : 0);
        if (random() % 50 == 0) value = kAbsent - random() % 2;
      }
    }
    PackedColumns packed;
    while (packed.take(columns)) continue;
    ASSERT_EQ(packed.rows(), columns.rows());
    for (std::size_t i = 0; i < columns.width(); ++i)
      for (std::uint32_t row = 0; row < packed.rows(); ++row) ASSERT_EQ(packed.at(i, row), columns[i][row]);
  }
}

TEST(PackedColumns, small_differences_take_few_bytes) {
  Columns columns(4);
  columns.resize(1000);
  for (std::uint32_t row = 0; row < 1000; ++row) {
    columns[0][row] = 7'000'000'000'000;           // 0 bytes each
    columns[1][row] = 7'000'000'000'000 + row;     // 1
    columns[2][row] = row % 2 ? kAbsent : 50'000;  // 2
    columns[3][row] = row * 1'000'000;             // 4
  }
  PackedColumns packed;
  while (packed.take(columns)) continue;
  EXPECT_LE(packed.memory(), 1000 * (0 + 1 + 2 + 4) + 16 * (48 + 4 * 16));
}

}  // namespace
}  // namespace tenants
