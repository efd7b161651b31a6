#include "module/accounting/heavy.h"

#include <gtest/gtest.h>

#include <random>

namespace tenants {
namespace {

TEST(HeavyNames, a_count_is_never_more_than_the_truth_and_heavy_names_are_found) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  HeavyNames names(100);
  std::map<std::string, std::uint64_t> truth;
  constexpr int kNames = 200'000;
  for (int i = 0; i < kNames; ++i) {
    std::uint32_t die = random() % 100;
    std::string name = die < 5 ? "heavy" : die < 8 ? "less" : "rare" + std::to_string(random());
    ++truth[name];
    names.add(name);
  }
  auto found = names.at_least(1);
  for (const auto& [name, count] : found) EXPECT_LE(count, truth[name]) << name << ", seed " << seed;
  ASSERT_GE(found.size(), 2u);
  EXPECT_EQ(found[0].name, "heavy");
  EXPECT_GT(found[0].at_least, truth["heavy"] - kNames / 100);
  EXPECT_EQ(found[1].name, "less");
  EXPECT_EQ(names.at_least(1'000).size(), 2u)
      << "of names that come once none is said to have come often, seed " << seed;
}

TEST(HeavyNames, few_names_are_counted_exactly) {
  HeavyNames names(3);
  for (const char* name : {"a", "b", "a", "c", "a", "b"}) names.add(name);
  auto found = names.at_least(2);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].name + found[1].name, "ab");
  EXPECT_EQ(found[0].at_least * 10 + found[1].at_least, 32u);
}

}  // namespace
}  // namespace tenants
