#include "module/accounting/slot_tables.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "module/accounting/random.h"

namespace tenants {
namespace {

TEST(SlotTables, each_place_of_all_tables_belongs_to_its_slot) {
  SlotTables tables;
  std::uint64_t coins = 1;
  std::map<std::uint32_t, std::uint64_t> truth;
  for (int i = 0; i < 20'000; ++i) {  // also over each other
    auto slot = static_cast<std::uint32_t>(splitmix64(coins) % 700 * 23);
    std::uint64_t places = splitmix64(coins) % 4 ? std::uint64_t{1} << splitmix64(coins) % 12 : 0;
    tables.set(slot, places);
    truth[slot] = places;
  }
  std::uint64_t place = 0;
  for (auto [slot, places] : truth) {
    ASSERT_EQ(tables.places(slot), places);
    if (places == 0) continue;
    ASSERT_EQ(tables.with_place(place), slot);
    ASSERT_EQ(tables.with_place(place + places - 1), slot);
    place += places;
  }
  EXPECT_EQ(tables.all(), place);
}

TEST(SlotTables, the_first_and_the_last_slot_are_drawn) {
  SlotTables tables;
  tables.set(0, 1);
  tables.set(SlotTables::kSlots - 1, std::uint64_t{1} << 40);
  EXPECT_EQ(tables.with_place(0), 0u);
  EXPECT_EQ(tables.with_place(1), SlotTables::kSlots - 1);
  EXPECT_EQ(tables.with_place(tables.all() - 1), SlotTables::kSlots - 1);
}

TEST(NextPlace, comes_to_every_place_once_and_ends_at_0) {
  for (std::uint64_t places : {1, 2, 8, 1024}) {
    std::set<std::uint64_t> met;
    std::uint64_t place = 0;
    do {
      EXPECT_TRUE(met.insert(place).second);
      place = next_place(place, places);
      EXPECT_LT(place, places);
    } while (place);
    EXPECT_EQ(met.size(), places);
  }
}

TEST(NextPlace, of_the_first_place_tells_how_many_there_are) {
  EXPECT_EQ(next_place(0, 1), 0u);
  for (std::uint64_t places = 2; places < std::uint64_t{1} << 50; places *= 2)
    EXPECT_EQ(2 * next_place(0, places), places);
}

TEST(NextPlace, bits_beyond_the_table_do_not_matter) {
  EXPECT_EQ(next_place(0b1011'0110, 16), next_place(0b0110, 16));
  EXPECT_EQ(next_place(0b0110, 16), 0b1110u);
}

}  // namespace
}  // namespace tenants
