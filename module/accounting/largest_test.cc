#include "module/accounting/largest.h"

#include <gtest/gtest.h>

#include <random>

namespace tenants {
namespace {

constexpr std::size_t kRoom = 1'000'000;

std::ptrdiff_t size_of(const char* name) { return static_cast<std::ptrdiff_t>(LargeKey{name}.memory()); }

TEST(LargestKeys, are_those_of_a_sort) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  LargestKeys largest;
  std::vector<std::uint64_t> sizes;
  std::ptrdiff_t memory = 0;
  for (int i = 0; i < 5'000; ++i) {
    sizes.push_back(random());
    memory += largest.add({std::to_string(i), sizes.back()}, kRoom);
  }
  EXPECT_EQ(static_cast<std::size_t>(memory), largest.memory());
  std::sort(sizes.rbegin(), sizes.rend());
  std::vector<LargeKey> found = largest.keys();
  std::ranges::sort(found, std::ranges::greater(), &LargeKey::bytes);
  ASSERT_EQ(found.size(), LargestKeys::kKept);
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].bytes, sizes[i]) << "seed " << seed;
}

TEST(LargestKeys, a_key_met_twice_is_there_once) {
  LargestKeys largest;
  EXPECT_EQ(largest.add({"a", 5}, kRoom), size_of("a"));
  EXPECT_EQ(largest.add({"a", 5}, kRoom), 0);
  EXPECT_EQ(largest.add({"a", 5, 1}, kRoom), size_of("a"));
  EXPECT_EQ(largest.keys().size(), 2u);
}

TEST(LargestKeys, without_room_a_larger_one_takes_the_place_of_the_smallest) {
  LargestKeys largest;
  EXPECT_EQ(largest.add({"a", 5}, 0), 0);
  EXPECT_EQ(largest.add({"b", 5}, kRoom), size_of("b"));
  EXPECT_EQ(largest.add({"c", 4}, 0), 0);
  EXPECT_EQ(largest.add({"longer", 6}, 2), 0);
  EXPECT_EQ(largest.add({"d", 6}, 0), 0);
  ASSERT_EQ(largest.keys().size(), 1u);
  EXPECT_EQ(largest.keys()[0].name, "d");
}

TEST(LargestKeys, names_too_long_to_keep_are_left_out) {
  LargestKeys largest;
  EXPECT_EQ(largest.add({std::string(LargestKeys::kLongestName + 1, 'x'), 5}, kRoom), 0);
  EXPECT_NE(largest.add({std::string(LargestKeys::kLongestName, 'x'), 5}, kRoom), 0);
}

}  // namespace
}  // namespace tenants
