#include "module/accounting/slot_tables.h"

#include <bit>

namespace tenants {

void SlotTables::set(std::uint32_t slot, std::uint64_t places) {
  std::uint64_t before = this->places(slot);
  groups_[slot / kGroup] += places - before;
  all_ += places - before;
  exponents_[slot] = static_cast<std::uint8_t>(std::bit_width(places));
}

std::uint32_t SlotTables::with_place(std::uint64_t number) const {
  std::uint32_t slot = 0;
  for (std::uint64_t of_group : groups_) {
    if (number < of_group) break;
    number -= of_group;
    slot += kGroup;
  }
  while (number >= places(slot)) number -= places(slot++);
  return slot;
}

namespace {

std::uint64_t reversed(std::uint64_t bits) {
  bits = (bits & 0x5555555555555555u) << 1 | (bits >> 1 & 0x5555555555555555u);
  bits = (bits & 0x3333333333333333u) << 2 | (bits >> 2 & 0x3333333333333333u);
  bits = (bits & 0x0f0f0f0f0f0f0f0fu) << 4 | (bits >> 4 & 0x0f0f0f0f0f0f0f0fu);
  return __builtin_bswap64(bits);
}

}  // namespace

std::uint64_t next_place(std::uint64_t place, std::uint64_t places) {
  return reversed(reversed(place | ~(places - 1)) + 1);
}

}  // namespace tenants
