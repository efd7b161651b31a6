#include "module/sampling/stretches.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tenants {
namespace {

constexpr std::uint64_t kMsec = 1'000'000;
using Charged = std::map<std::uint32_t, std::uint64_t>;

// A main thread that runs commands one after the other, and what the sampler makes of them.
struct Thread {
  Stretches stretches;
  std::uint64_t now = 1000 * kMsec, settled = now, tick = now, reads = 0;
  Charged truth, charged;

  void run(std::uint32_t row, std::uint64_t nanoseconds) {
    now += nanoseconds;
    truth[row] += nanoseconds;
    if (stretches.measuring()) {
      ++reads;
      if (stretches.used(row, now)) settle();
    }
    if (now < tick) return;
    tick += 20 * kMsec;
    if (!stretches.measuring()) settle();
    stretches.begin(now, now / 1000);  // it never rests
  }
  void settle() {
    if (stretches.split(now - settled, [&](std::uint32_t row, std::uint64_t share) { charged[row] += share; }))
      settled = now;
  }
  double share(const Charged& of, std::uint32_t row) const {
    double all = 0;
    for (auto [each, used] : of) all += static_cast<double>(used);
    return static_cast<double>(of.at(row)) / all;
  }
};

TEST(Stretches, where_few_commands_come_each_is_measured) {
  Thread thread;
  std::minstd_rand random(1);
  for (int i = 0; i < 10'000; ++i) thread.run(random() % 3, 200'000 + random() % kMsec);
  thread.stretches.end();
  thread.settle();
  std::uint64_t first = 0;  // what was used before the first tick is charged as the first stretch says
  for (auto [row, used] : thread.truth)
    first = std::max(first, used > thread.charged[row] ? used - thread.charged[row] : thread.charged[row] - used);
  EXPECT_LE(first, 2 * kMsec);
  EXPECT_EQ(thread.settled, thread.now);
}

TEST(Stretches, where_many_come_the_clock_is_read_seldom_and_shares_are_right) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    Thread thread;
    std::minstd_rand random(seed);
    std::uint64_t end = thread.now + 300'000 * kMsec;
    while (thread.now < end) {
      unsigned chance = random() % 4000;
      if (chance == 0)
        thread.run(3, 3 * kMsec + random() % (4 * kMsec));  // as dear as a thousand others
      else
        thread.run(chance % 3, 4000 + random() % 2000);
    }
    EXPECT_LE(thread.reads, 300 * Stretches::kReadsPerSecond * 12 / 10);
    EXPECT_GE(thread.reads, 300 * Stretches::kReadsPerSecond / 2);
    for (std::uint32_t row = 0; row < 4; ++row)
      EXPECT_NEAR(thread.share(thread.charged, row), thread.share(thread.truth, row), 0.05) << seed << " " << row;
  }
}

TEST(Stretches, commands_in_step_with_the_tick_are_measured_like_others) {
  Thread thread;  // 16 + 4 ms: every tick meets the first, and the second follows it
  for (int i = 0; i < 5'000; ++i) {
    thread.run(1, 16 * kMsec);
    thread.run(2, 4 * kMsec);
  }
  EXPECT_NEAR(thread.share(thread.charged, 1), 0.8, 0.02);
}

TEST(Stretches, more_users_than_there_is_room_for_get_their_shares_over_time) {
  Thread thread;
  std::minstd_rand random(1);
  for (int i = 0; i < 2'000'000; ++i) thread.run(random() % 500, 20'000);
  double off = 0;
  for (auto [row, used] : thread.truth)
    off += std::abs(static_cast<double>(thread.charged[row]) - static_cast<double>(used)) / static_cast<double>(used);
  EXPECT_LE(off / 500, 0.15);
}

TEST(Stretches, all_that_is_to_be_split_is_split) {
  Stretches stretches;
  auto nobody = [](std::uint32_t, std::uint64_t) { FAIL(); };
  EXPECT_FALSE(stretches.split(1000, nobody));
  stretches.begin(10, 1000);
  EXPECT_FALSE(stretches.used(1, 20));
  EXPECT_FALSE(stretches.used(2, 30));
  EXPECT_FALSE(stretches.used(1, 40));
  EXPECT_FALSE(stretches.split(1000, nobody)) << "it is not whole";
  EXPECT_TRUE(stretches.end());
  Charged charged;
  auto charge = [&](std::uint32_t row, std::uint64_t share) { charged[row] += share; };
  EXPECT_TRUE(stretches.split(1000, charge));
  EXPECT_EQ(charged, (Charged{{1, 666}, {2, 334}}));
  charged.clear();
  EXPECT_TRUE(stretches.split(~std::uint64_t{0}, charge));
  EXPECT_EQ(charged[1] + charged[2], ~std::uint64_t{0});
  stretches.give_up(2, 7);
  charged.clear();
  stretches.split(3, charge);
  EXPECT_EQ(charged, (Charged{{1, 2}, {7, 1}}));
  EXPECT_FALSE(stretches.end()) << "none is under way";
  stretches.begin(60, 1000);
  EXPECT_TRUE(stretches.measuring());
  EXPECT_FALSE(stretches.end()) << "nothing was measured";
  EXPECT_TRUE(stretches.split(3, charge)) << "the one before counts on";
  stretches.forget();
  EXPECT_FALSE(stretches.split(1000, nobody));
}

}  // namespace
}  // namespace tenants
