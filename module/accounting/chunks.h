// Things that never move while they become more and more: memory is taken for a few of them at a time, so that a table
// with room for many costs what it holds.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace tenants {

template <typename Thing, std::size_t kChunk = 8>
class Chunks {
 public:
  explicit Chunks(std::size_t size = 0) {
    while (size_ < size) add();
  }

  std::size_t size() const { return size_; }
  // Two loads.
  Thing& operator[](std::size_t i) { return (*chunks_[i / kChunk])[i % kChunk]; }
  const Thing& operator[](std::size_t i) const { return (*chunks_[i / kChunk])[i % kChunk]; }
  // One more at the end, all zero. No memory: nothing has changed.
  void add() {
    if (size_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<std::array<Thing, kChunk>>());
    ++size_;
  }

 private:
  std::vector<std::unique_ptr<std::array<Thing, kChunk>>> chunks_;
  std::size_t size_ = 0;
};

}  // namespace tenants
