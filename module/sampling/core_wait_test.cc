#include "module/sampling/core_wait.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

namespace tenants {
namespace {

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
