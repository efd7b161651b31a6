#include "module/accounting/columns.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tenants {

static_assert(std::endian::native == std::endian::little, "the first bytes of a number are its lowest ones");

bool Columns::note_zeros() {
  std::size_t begin = used_.size() * kBlock, end = std::min(begin + kBlock, rows());
  if (begin >= end) return false;
  std::uint32_t used = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::uint64_t any = 0;
    for (std::size_t row = begin; row < end; ++row) any |= columns_[i][row];
    used |= std::uint32_t{any != 0} << i;
  }
  used_.push_back(used);
  return true;
}

bool PackedColumns::take(const Columns& columns) {
  std::uint32_t end = std::min<std::uint32_t>(rows_ + kBlock, static_cast<std::uint32_t>(columns.rows()));
  if (rows_ == end) return false;
  Block block;
  block.ranges.resize(columns.width());
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < columns.width(); ++i) {
    std::uint64_t least = ~std::uint64_t{0}, most = 0;
    for (std::uint32_t row = rows_; row < end; ++row) {
      least = std::min(least, columns[i][row] + 1);
      most = std::max(most, columns[i][row] + 1);
    }
    std::size_t bits = static_cast<std::size_t>(std::bit_width(most - least));
    auto width = static_cast<std::uint8_t>(bits ? std::bit_ceil((bits + 7) / 8) : 0);
    block.ranges[i] = {least, size, width};
    size += width * (end - rows_);
  }
  block.bytes.resize(size);
  for (std::size_t i = 0; i < columns.width(); ++i) {
    const Range& range = block.ranges[i];
    if (range.width == 0) continue;  // perhaps nothing is kept at all, and to copy none of it is undefined
    std::uint8_t* to = block.bytes.data() + range.begin;
    for (std::uint32_t row = rows_; row < end; ++row, to += range.width) {
      std::uint64_t above = columns[i][row] + 1 - range.least;
      std::memcpy(to, &above, range.width);
    }
  }
  memory_ += sizeof(Block) + columns.width() * sizeof(Range) + size;
  blocks_.push_back(std::move(block));
  rows_ = end;
  return true;
}

std::uint64_t PackedColumns::at(std::size_t column, std::uint32_t row) const {
  const Block& block = blocks_[row / kBlock];
  const Range& range = block.ranges[column];
  std::uint64_t above = 0;
  if (range.width)
    std::memcpy(&above, block.bytes.data() + range.begin + std::size_t{row % kBlock} * range.width, range.width);
  return range.least + above - 1;
}

void First::offer(Place place) {
  if (last_ && !(place < *last_)) return;
  places_.push_back(place);
  if (places_.size() > 2 * most_ + 16) cut();
}

void First::cut() {
  if (places_.size() <= most_) return;
  auto end = places_.begin() + static_cast<std::ptrdiff_t>(most_);
  std::nth_element(places_.begin(), end, places_.end());
  last_ = *end;
  places_.erase(end, places_.end());
}

std::vector<Place> First::take() {
  cut();
  std::sort(places_.begin(), places_.end());
  return std::move(places_);
}

}  // namespace tenants
