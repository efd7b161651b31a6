#include "module/sampling/sampler.h"

#include <gtest/gtest.h>
#include <time.h>

namespace tenants {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;

std::uint64_t cpu_of_this_thread() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1000 * kMillion + static_cast<std::uint64_t>(time.tv_nsec);
}

void burn(std::uint64_t nanoseconds) {
  for (std::uint64_t end = cpu_of_this_thread() + nanoseconds; cpu_of_this_thread() < end;) {
  }
}

TEST(CpuSampler, what_it_charges_adds_up_to_the_clock_and_goes_to_who_ran) {
  CpuSampler sampler(4);
  std::uint64_t before = cpu_of_this_thread();
  ASSERT_TRUE(sampler.start(500));
  for (int i = 0; i < 600; ++i) {
    sampler.begin(1);
    burn(kMillion / 10);
    sampler.begin(2);
    burn(3 * kMillion / 10);
  }
  std::uint64_t used = cpu_of_this_thread() - before;
  sampler.stop();
  double first = static_cast<double>(sampler.nanoseconds(1)), second = static_cast<double>(sampler.nanoseconds(2));
  EXPECT_NEAR(first + second, static_cast<double>(used), 0.03 * static_cast<double>(used));
  EXPECT_NEAR(first / (first + second), 0.25, 0.12);
  EXPECT_EQ(sampler.nanoseconds(3), 0u);
}

TEST(CpuSampler, a_command_that_keeps_the_thread_busy_is_slow_until_the_next_begins) {
  CpuSampler sampler(2);
  ASSERT_TRUE(sampler.start(500));
  for (int i = 0; i < 200; ++i) {
    sampler.begin(1);
    burn(kMillion / 10);
    EXPECT_FALSE(sampler.slow());
  }
  sampler.begin(1);
  burn(40 * kMillion);
  EXPECT_TRUE(sampler.slow());
  EXPECT_GE(sampler.slow_nanoseconds(), 20 * kMillion);
  EXPECT_LE(sampler.slow_nanoseconds(), 45 * kMillion);
  sampler.begin(1);
  EXPECT_FALSE(sampler.slow());
}

TEST(CpuSampler, it_starts_and_stops_any_number_of_times) {
  CpuSampler sampler(1);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(sampler.start(1000));
    sampler.stop();
    EXPECT_FALSE(sampler.running());
  }
}

}  // namespace
}  // namespace tenants
