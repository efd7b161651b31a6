// Numbers of many rows, column by column: to sort and compare them without touching what they come from.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "module/accounting/chunks.h"

namespace tenants {

inline constexpr std::uint64_t kAbsent = ~std::uint64_t{0};  // not known

// What is not known makes the sum unknown.
inline void add_known(std::uint64_t& sum, std::uint64_t value) {
  if (sum != kAbsent) sum = value == kAbsent ? kAbsent : sum + value;
}

class Columns {
 public:
  static constexpr std::size_t kBlock = 64, kMostColumns = 32;

  explicit Columns(std::size_t width = 0) : columns_(width) {}

  std::size_t rows() const { return columns_.empty() ? 0 : columns_[0].size(); }
  std::size_t width() const { return columns_.size(); }
  // No rows; what they took is kept for the next ones.
  void clear() {
    for (auto& column : columns_) column.clear();
    used_.clear();
  }
  void resize(std::size_t rows) {
    for (auto& column : columns_) column.resize(rows);
  }
  template <typename Array>
  Array row(std::size_t row) const {
    Array values{};
    read(row, values, 0);
    return values;
  }
  // The same into `values`, of which only the columns of `filled`, a bit each, are not 0. Returns those that are not
  // then.
  template <typename Array>
  std::uint32_t read(std::size_t row, Array& values, std::uint32_t filled) const {
    std::size_t block = row / kBlock;
    std::uint32_t used =
        block < used_.size() ? used_[block] : static_cast<std::uint32_t>((std::uint64_t{1} << width()) - 1);
    auto each = [](std::uint32_t bits, auto visit) {
      for (; bits; bits &= bits - 1) visit(static_cast<std::size_t>(std::countr_zero(bits)));
    };
    each(filled & ~used, [&](std::size_t i) { values[i] = 0; });
    each(used, [&](std::size_t i) { values[i] = columns_[i][row]; });
    return used;
  }
  // Most rows have 0 in most columns. Notes of the next kBlock rows in which they all have; row() passes over those.
  // False when no rows are left. Some 1 µs.
  bool note_zeros();
  // Before anything but 0 is written where all were 0.
  void forget_zeros() { used_.clear(); }
  std::vector<std::uint64_t>& operator[](std::size_t column) { return columns_[column]; }
  const std::vector<std::uint64_t>& operator[](std::size_t column) const { return columns_[column]; }

 private:
  std::vector<std::vector<std::uint64_t>> columns_;  // at most kMostColumns
  std::vector<std::uint32_t> used_;                  // of kBlock rows each, a bit for each column that is not all 0
};

// The same, row by row, for rows that become more and more.
template <std::size_t kWidth>
class Rows {
 public:
  using Row = std::array<std::uint64_t, kWidth>;

  // Null: there is no such row.
  const Row* find(std::size_t row) const { return row < rows_.size() ? &rows_[row] : nullptr; }
  // `otherwise`: of a row that there is not.
  std::uint64_t at(std::size_t column, std::size_t row, std::uint64_t otherwise) const {
    return row < rows_.size() ? rows_[row][column] : otherwise;
  }
  // Of a row there is, or the next one.
  void put(std::size_t row, const Row& values) {
    if (row == rows_.size()) rows_.add();
    rows_[row] = values;
  }

 private:
  Chunks<Row> rows_;
};

// The same as Columns, in as few bytes as the numbers need, to be kept for minutes: of each 64 rows the least number of
// a column, and how far each lies above it, in 0, 1, 2, 4 or 8 bytes. Some 40 bytes per tenant where Columns takes 120.
class PackedColumns {
 public:
  static constexpr std::uint32_t kBlock = 64;

  // Packs the next kBlock rows of `columns`, or those that are left; false when there are none left. Some 2 µs.
  bool take(const Columns& columns);
  std::uint32_t rows() const { return rows_; }
  std::uint64_t at(std::size_t column, std::uint32_t row) const;
  std::size_t memory() const { return memory_; }

 private:
  struct Range {
    std::uint64_t least = 0;  // plus 1, so that kAbsent is the least of all
    std::uint32_t begin = 0;  // of its rows, in `bytes`
    std::uint8_t width = 0;   // bytes per row
  };
  struct Block {
    std::vector<Range> ranges;  // by column
    std::vector<std::uint8_t> bytes;
  };
  std::vector<Block> blocks_;
  std::uint32_t rows_ = 0;
  std::size_t memory_ = 0;
};

// A place in an order of rows: the larger score first, of equal ones the lower row.
struct Place {
  std::uint64_t score = 0;
  std::uint32_t row = 0;
  // This comes before that.
  bool operator<(const Place& other) const { return score != other.score ? score > other.score : row < other.row; }
};

// Scores that put the largest value first, or the smallest; what is absent comes last.
inline std::uint64_t descending(std::uint64_t value) { return value + 1; }
inline std::uint64_t ascending(std::uint64_t value) { return value == kAbsent ? 0 : ~value; }

// Collects the first `most` places of an order out of any number that are offered; O(1) each, on average.
class First {
 public:
  explicit First(std::size_t most) : most_(most) {}
  void offer(Place place);
  // In order. O(most log most).
  std::vector<Place> take();

 private:
  void cut();
  std::size_t most_;
  std::optional<Place> last_;  // whatever comes after it is not among the first
  std::vector<Place> places_;
};

}  // namespace tenants
