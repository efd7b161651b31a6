// The slots of a node of a cluster, each with a table of keys of its own, and how many places each table has: so that a
// slot can be drawn in such a way that every key has the same chance.
#pragma once

#include <array>
#include <cstdint>

namespace tenants {

class SlotTables {
 public:
  static constexpr unsigned kSlotBits = 14;
  static constexpr std::uint32_t kSlots = 1 << kSlotBits;

  // `places`: of its table, a power of two; 0: it has no keys.
  void set(std::uint32_t slot, std::uint64_t places);
  std::uint64_t places(std::uint32_t slot) const {
    return exponents_[slot] ? std::uint64_t{1} << (exponents_[slot] - 1) : 0;
  }
  // Of all slots together.
  std::uint64_t all() const { return all_; }
  // The slot with the place of this number, below all(). O(kSlots / kGroup + kGroup), some 100 ns.
  std::uint32_t with_place(std::uint64_t number) const;

 private:
  static constexpr std::uint32_t kGroup = 128;

  std::array<std::uint8_t, kSlots> exponents_{};         // of two, and one more; 0: no places
  std::array<std::uint64_t, kSlots / kGroup> groups_{};  // the places of so many slots
  std::uint64_t all_ = 0;
};

// Where the server's scan of a table of so many places goes on that has been at `place`: places come in the order of
// their bits reversed (dictScan, hashtableScan), and 0 follows on the last one. Bits of `place` beyond the table do not
// matter.
std::uint64_t next_place(std::uint64_t place, std::uint64_t places);

}  // namespace tenants
