// A hash table whose every operation is O(1) in the worst case, not only on average: it is chained, and grows by linear
// hashing, one bucket at a time (a rehash of 10,000 entries at once would be a pause). Entries never move.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace tenants {

// An entry has `std::uint64_t id`, not 0 where it is in use, and `std::uint32_t next`, which is the table's. It takes
// its own size and 4 bytes more, and memory for `kChunk` of them at a time.
template <typename Entry, std::uint32_t kChunk = 256>
class SteadyTable {
 public:
  SteadyTable() { add_heads(); }

  // Null where the id is unknown.
  Entry* find(std::uint64_t id) {
    for (std::uint32_t at = head(bucket_of(id)); at != kNone; at = entry(at).next)
      if (entry(at).id == id) return &entry(at);
    return nullptr;
  }

  const Entry* find(std::uint64_t id) const { return const_cast<SteadyTable*>(this)->find(id); }

  // The id must not be there yet. No memory: nothing has changed.
  Entry& insert(std::uint64_t id) {
    if (size_ >= buckets_) split_one();
    if (free_ == kNone) add_entries();
    std::uint32_t at = free_;
    Entry& made = entry(at);
    free_ = made.next;
    std::uint32_t& first = head(bucket_of(id));
    made = Entry{};
    made.id = id;
    made.next = first;
    first = at;
    ++size_;
    return made;
  }

  void erase(std::uint64_t id) {
    for (std::uint32_t* link = &head(bucket_of(id)); *link != kNone; link = &entry(*link).next) {
      std::uint32_t at = *link;
      if (entry(at).id != id) continue;
      *link = entry(at).next;
      entry(at) = Entry{};
      entry(at).next = free_;
      free_ = at;
      --size_;
      return;
    }
  }

  std::size_t size() const { return size_; }
  std::size_t places() const { return entries_.size() * kChunk; }  // for entries, that are there or not

  // The next `count` places from `place` on; visits the entries that are there. Returns the place to go on from, 0 at
  // the end. An entry that stays is met once in each round.
  template <typename Visit>
  std::uint32_t visit_some(std::uint32_t place, std::uint32_t count, Visit visit) {
    auto end = static_cast<std::uint32_t>(entries_.size()) * kChunk;
    std::uint32_t last = std::min(end, place + count);
    for (; place < last; ++place)
      if (entry(place).id) visit(entry(place));
    return place == end ? 0 : place;
  }

  template <typename Visit>
  void for_each(Visit visit) {
    for (std::uint32_t bucket = 0; bucket < buckets_; ++bucket)
      for (std::uint32_t at = head(bucket); at != kNone; at = entry(at).next) visit(entry(at));
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::uint32_t kHeads = 256;  // in a chunk

  static std::uint64_t mix(std::uint64_t id) { return (id * 0x9e3779b97f4a7c15u) >> 32; }
  std::uint32_t bucket_of(std::uint64_t id) const {
    std::uint64_t hash = mix(id);
    std::uint32_t bucket = static_cast<std::uint32_t>(hash) & (2 * level_ - 1);
    return bucket < buckets_ ? bucket : bucket & (level_ - 1);
  }
  std::uint32_t& head(std::uint32_t bucket) { return heads_[bucket / kHeads][bucket % kHeads]; }
  Entry& entry(std::uint32_t at) { return entries_[at / kChunk][at % kChunk]; }

  void add_heads() {
    auto heads = std::make_unique<std::uint32_t[]>(kHeads);
    std::fill_n(heads.get(), kHeads, kNone);
    heads_.push_back(std::move(heads));
  }

  void add_entries() {
    auto first = static_cast<std::uint32_t>(entries_.size()) * kChunk;
    entries_.push_back(std::make_unique<Entry[]>(kChunk));
    for (std::uint32_t at = first + kChunk; at-- > first;) {
      entry(at).next = free_;
      free_ = at;
    }
  }

  // Adds one bucket and moves to it what belongs there from the one bucket that it splits.
  void split_one() {
    if (buckets_ % kHeads == 0) add_heads();
    if (buckets_ == 2 * level_) level_ *= 2;
    std::uint32_t from = buckets_ - level_, to = buckets_++;
    for (std::uint32_t* link = &head(from); *link != kNone;) {
      std::uint32_t at = *link;
      if (bucket_of(entry(at).id) == from) {
        link = &entry(at).next;
        continue;
      }
      *link = entry(at).next;
      entry(at).next = head(to);
      head(to) = at;
    }
  }

  std::vector<std::unique_ptr<std::uint32_t[]>> heads_;
  std::vector<std::unique_ptr<Entry[]>> entries_;
  std::uint32_t level_ = kHeads;    // buckets below level_ at the start of this doubling
  std::uint32_t buckets_ = kHeads;  // level_ <= buckets_ <= 2 * level_
  std::uint32_t free_ = kNone;
  std::size_t size_ = 0;
};

}  // namespace tenants
