#include "module/sampling/core_wait.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

namespace tenants {
namespace {

TEST(CoreWait, to_be_woken_for_each_command_is_no_waiting) {
  constexpr std::uint64_t kMsec = 1'000'000;
  CoreWait::Times before{700 * kMsec, 50 * kMsec, 3000};
  auto waits = [&](std::uint64_t ran, std::uint64_t waited, std::uint64_t runs) {
    return CoreWait::waits(before, {before.ran + ran, before.waited + waited, before.runs + runs});
  };
  EXPECT_FALSE(waits(80 * kMsec, 20 * kMsec, 10'000)) << "2 µs each, of 8 that it runs";
  EXPECT_TRUE(waits(80 * kMsec, 300 * kMsec, 10'000)) << "one of a hundred for 3 ms";
  EXPECT_TRUE(waits(80 * kMsec, 5 * kMsec, 20)) << "it is displaced";
  EXPECT_FALSE(waits(80 * kMsec, 3 * kMsec, 20));
}

TEST(CoreWait, a_thread_that_shares_its_core_waits_and_does_so_for_a_second_after) {
  CoreWait wait;
  if (!wait.waited()) GTEST_SKIP() << "this kernel does not say in /proc/thread-self/schedstat how long threads wait";
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop) {
    }
  });
  std::uint64_t start = *wait.waited();
  while (*wait.waited() - start < 50'000'000) {
  }
  EXPECT_TRUE(wait.look(1'000'000));
  stop = true;
  other.join();
  EXPECT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_TRUE(wait.look(1'050'000)) << "too soon to look again";
  EXPECT_TRUE(wait.look(1'990'000));
  EXPECT_FALSE(wait.look(60'000'000)) << "it has not run since";
}

}  // namespace
}  // namespace tenants
