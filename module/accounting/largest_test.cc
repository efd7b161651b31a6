#include "module/accounting/largest.h"

#include <gtest/gtest.h>

#include <random>

namespace tenants {
namespace {

TEST(LargestKeys, are_those_of_a_sort) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  LargestKeys largest;
  std::vector<std::uint64_t> sizes;
  for (int i = 0; i < 5'000; ++i) {
    sizes.push_back(random());
    largest.add({std::to_string(i), sizes.back()}, true);
  }
  std::sort(sizes.rbegin(), sizes.rend());
  auto found = largest.sorted();
  ASSERT_EQ(found.size(), LargestKeys::kKept);
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].bytes, sizes[i]) << "seed " << seed;
}

TEST(LargestKeys, a_key_met_twice_is_there_once) {
  LargestKeys largest;
  EXPECT_TRUE(largest.add({"a", 5}, true));
  EXPECT_FALSE(largest.add({"a", 5}, true));
  EXPECT_TRUE(largest.add({"a", 5, 1}, true));
  EXPECT_EQ(largest.size(), 2u);
}

TEST(LargestKeys, without_room_a_larger_one_takes_the_place_of_the_smallest) {
  LargestKeys largest;
  EXPECT_FALSE(largest.add({"a", 5}, false));
  EXPECT_TRUE(largest.add({"b", 5}, true));
  EXPECT_FALSE(largest.add({"c", 4}, false));
  EXPECT_FALSE(largest.add({"d", 6}, false));
  ASSERT_EQ(largest.size(), 1u);
  EXPECT_EQ(largest.sorted()[0].name, "d");
}

TEST(LargestKeys, names_too_long_to_keep_are_left_out) {
  LargestKeys largest;
  EXPECT_FALSE(largest.add({std::string(LargestKeys::kLongestName + 1, 'x'), 5}, true));
  EXPECT_TRUE(largest.add({std::string(LargestKeys::kLongestName, 'x'), 5}, true));
}

}  // namespace
}  // namespace tenants
