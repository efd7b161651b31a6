#include "module/accounting/seen_databases.h"

#include <gtest/gtest.h>

namespace tenants {
namespace {

void meet(SeenKeys& keys, std::uint64_t pass) { keys.seen_now(pass, pass - 1).seen = 1; }

TEST(SeenDatabases, what_is_known_of_a_database_goes_with_it_when_databases_are_swapped) {
  SeenDatabases seen;
  meet(*seen.make_pair(seen.make(0)->identity, 5, 77), 1);
  seen.make(3);
  seen.swap(0, 3);
  EXPECT_FALSE(seen.find_pair(seen.find(0)->identity, 5, 77));
  EXPECT_TRUE(seen.find_pair(seen.find(3)->identity, 5, 77));
  seen.swap(3, 4);
  EXPECT_FALSE(seen.find(3));
  EXPECT_FALSE(seen.find(4)) << "of one of them nothing was known";
}

TEST(SeenDatabases, a_row_that_is_anothers_now_knows_nothing_of_the_one_before) {
  SeenDatabases seen;
  std::uint32_t database = seen.make(0)->identity;
  meet(*seen.make_pair(database, 5, 77), 1);
  EXPECT_FALSE(seen.find_pair(database, 5, 78));
  EXPECT_FALSE(seen.make_pair(database, 5, 78)->seen_in(1));
}

TEST(SeenDatabases, a_database_that_was_flushed_is_another_one) {
  SeenDatabases seen;
  meet(*seen.make_pair(seen.make(2)->identity, 5, 77), 1);
  seen.forget(2);
  EXPECT_FALSE(seen.find(2));
  EXPECT_FALSE(seen.find_pair(seen.make(2)->identity, 5, 77));
}

TEST(SeenDatabases, what_has_no_room_gets_none_until_what_no_pass_has_met_is_given_up) {
  SeenDatabases seen;
  for (std::size_t db = 0; db < SeenDatabases::kMost; ++db) ASSERT_TRUE(seen.make(static_cast<int>(db)));
  EXPECT_FALSE(seen.make(5000));
  std::uint32_t database = seen.make(0)->identity;
  for (std::uint32_t row = 0; row < SeenDatabases::kMostPairs; ++row) {
    ASSERT_EQ(seen.pairs(), row);
    meet(*seen.make_pair(database, row, 1), row % 2 ? 1 : 2);
  }
  EXPECT_FALSE(seen.make_pair(database, 9999, 1));
  auto tidy = [&](std::uint64_t pass, std::uint64_t complete) {
    for (std::size_t i = 0; i < SeenDatabases::kMostPairs; ++i) seen.tidy(pass, complete);
  };
  tidy(2, 1);
  EXPECT_EQ(seen.pairs(), SeenDatabases::kMostPairs) << "of the pass that runs, and of the one before";
  tidy(3, 2);
  EXPECT_EQ(seen.pairs(), SeenDatabases::kMostPairs / 2);
  EXPECT_TRUE(seen.make_pair(database, 9999, 1));
  tidy(9, 8);
  EXPECT_EQ(seen.pairs(), 0u);
}

}  // namespace
}  // namespace tenants
