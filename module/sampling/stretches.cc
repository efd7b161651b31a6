#include "module/sampling/stretches.h"

#include <algorithm>
#include <utility>

namespace tenants {

void Stretches::begin(std::uint64_t now, std::uint64_t wall_usec) {
  if (measuring_ || wall_usec < due_usec_) return;
  // By the reads of the one before: its own depend on what it meets, and so would the weight that it gets.
  constexpr std::uint64_t kUsecPerRead = 1'000'000 / kReadsPerSecond;
  due_usec_ = wall_usec + reads_ * kUsecPerRead;
  start(now);
}

void Stretches::start(std::uint64_t now) {
  measuring_ = true;
  began_ = last_ = now;
  reads_ = current_.rows = current_.sum = 0;
}

bool Stretches::used(std::uint32_t row, std::uint64_t now) {
  ++reads_;
  std::uint64_t used = now - std::exchange(last_, now);
  auto end_of_rows = current_.each.begin() + static_cast<std::ptrdiff_t>(current_.rows);
  auto own = std::find_if(current_.each.begin(), end_of_rows, [row](const Use& use) { return use.row == row; });
  if (own == end_of_rows) {
    *own = {row, 0};
    ++current_.rows;
  }
  own->used += used;
  current_.sum += used;
  if (now - began_ < kLength && current_.rows < kMostRows) return false;
  end();
  if (reads_ <= kFewReads) start(now);
  return true;
}

bool Stretches::end() {
  if (!std::exchange(measuring_, false) || current_.sum == 0) return false;
  whole_ = current_;
  return true;
}

void Stretches::give_up(std::uint32_t row, std::uint32_t heir) {
  for (Measured* measured : {&current_, &whole_})
    for (std::size_t i = 0; i < measured->rows; ++i)
      if (measured->each[i].row == row) measured->each[i].row = heir;
}

void Stretches::forget() {
  measuring_ = false;
  due_usec_ = reads_ = whole_.rows = whole_.sum = 0;
}

}  // namespace tenants
