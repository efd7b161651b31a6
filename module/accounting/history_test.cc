#include "module/accounting/history.h"

#include <gtest/gtest.h>

namespace tenants {
namespace {

constexpr std::uint64_t kSecond = 1'000'000;

Moment at(std::uint64_t usec) { return {usec, std::make_shared<PackedColumns>()}; }

TEST(History, a_window_reaches_back_to_its_length_and_at_most_a_fifth_more) {
  History history;
  for (std::uint64_t now = 0; now < 3000 * kSecond; now += 2'013'000) {
    history.add(at(now));
    for (std::size_t window = 0; window < 3; ++window) {
      std::uint64_t length = History::kWindows[window];
      if (now < 2 * length) continue;
      for (std::uint64_t later : {now, now + 2 * kSecond}) {
        std::uint64_t ago = later - history.before(window, later).usec;
        ASSERT_GE(ago, length);
        ASSERT_LE(ago, length + length / 5 + 4 * kSecond);
      }
    }
  }
}

TEST(History, a_short_history_reaches_back_to_its_beginning) {
  History history;
  EXPECT_EQ(history.before(2, 5).columns, nullptr);
  EXPECT_EQ(history.before(2, 5, true).columns, nullptr);
  for (std::uint64_t second = 1; second < 60; ++second) history.add(at(second * kSecond));
  EXPECT_EQ(history.before(2, 60 * kSecond).usec, kSecond);
  EXPECT_EQ(history.before(0, 60 * kSecond).usec, 49 * kSecond);
  history.clear();
  EXPECT_EQ(history.before(0, 60 * kSecond).columns, nullptr);
}

TEST(History, what_was_not_counted_yet_is_no_moment_to_count_from) {
  History history;
  auto columns = std::make_shared<PackedColumns>();
  for (std::uint64_t second = 1; second <= 40; second += 2) history.add({second * 1'000'000, columns, second > 20});
  EXPECT_EQ(history.before(1, 40'000'000).usec, 1'000'000u);
  EXPECT_GT(history.before(1, 40'000'000, true).usec, 20'000'000u);
  EXPECT_EQ(history.before(0, 40'000'000, true).usec, history.before(0, 40'000'000).usec);
  EXPECT_EQ(history.before(2, 40'000'000, true).usec, 21'000'000u)
      << "the first one, however seldom this ring takes any";
}

}  // namespace
}  // namespace tenants
