#include "module/accounting/shared_use.h"

#include <gtest/gtest.h>

namespace tenants {
namespace {

std::vector<std::array<std::uint64_t, 3>> uses(const SharedUse& shared, std::uint64_t prefix) {
  std::vector<std::array<std::uint64_t, 3>> found;
  shared.for_each(prefix, [&](const SharedUse::Use& use) { found.push_back({use.name, use.reads, use.writes}); });
  return found;
}
using Expected = std::vector<std::array<std::uint64_t, 3>>;

TEST(SharedUse, counts_by_prefix_and_user_and_takes_back_what_was_refused) {
  SharedUse shared;
  shared.count(1, 10, {.name = 1, .user = 5, .reads = 3});
  shared.count(2, 10, {.name = 2, .user = 6, .writes = 7});
  shared.count(3, 10, {.name = 1, .user = 5, .writes = 2});
  shared.count(3, 11, {.name = 1, .user = 5, .writes = 2});
  EXPECT_EQ(uses(shared, 10), (Expected{{2, 0, 7}, {1, 3, 2}}));
  EXPECT_EQ(uses(shared, 11), (Expected{{1, 0, 2}}));
  shared.refused(2);
  EXPECT_EQ(uses(shared, 10).size(), 2u) << "it is not the last";
  shared.refused(3);
  EXPECT_EQ(uses(shared, 10), (Expected{{2, 0, 7}, {1, 3, 0}}));
  EXPECT_TRUE(uses(shared, 11).empty());
  shared.refused(3);
  EXPECT_EQ(uses(shared, 10), (Expected{{2, 0, 7}, {1, 3, 0}}));
  shared.clear();
  EXPECT_TRUE(uses(shared, 10).empty());
}

TEST(SharedUse, has_the_most_of_more_users_and_prefixes_than_there_is_room_for) {
  SharedUse shared;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    shared.count(i, 1, {.name = 1 + i % 4, .reads = 1});
    shared.count(i, 1, {.name = 100 + i, .reads = 1});
    shared.count(i, 1 + i, {.name = 1, .reads = 1});
  }
  Expected found = uses(shared, 1);
  ASSERT_EQ(found.size(), SharedUse::kMost);
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(found[i][1], 2500u);
  std::size_t kept = 0;
  for (std::uint64_t i = 1; i <= 10'000; ++i) kept += !uses(shared, 1 + i).empty();
  EXPECT_LE(kept, SharedUse::kMostPrefixes);
  EXPECT_GE(kept, SharedUse::kMostPrefixes - 2);
}

}  // namespace
}  // namespace tenants
