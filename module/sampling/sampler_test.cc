#include "module/sampling/sampler.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <fstream>
#include <random>

namespace tenants {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;

std::atomic<bool> behind{false};

std::uint64_t cpu_of_this_thread() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1000 * kMillion + static_cast<std::uint64_t>(time.tv_nsec);
}

void burn(std::uint64_t nanoseconds) {
  for (std::uint64_t end = cpu_of_this_thread() + nanoseconds; cpu_of_this_thread() < end;) {
  }
}

void rest(std::uint64_t nanoseconds) {
  timespec time{0, static_cast<long>(nanoseconds)};
  nanosleep(&time, nullptr);
}

// For how long this thread has waited for a core.
std::uint64_t waited() {
  std::uint64_t ran = 0, waited = 0;
  std::ifstream("/proc/thread-self/schedstat") >> ran >> waited;
  return waited;
}

// A look comes late where the thread has to wait for a core, and then tells little of who ran when. So `measure` is
// repeated until the thread had a core for itself; false where that takes more than 20 seconds.
template <typename Measure>
bool with_a_core_for_itself(Measure measure) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  for (time_t end = now.tv_sec + 20; now.tv_sec < end; clock_gettime(CLOCK_MONOTONIC, &now)) {
    std::uint64_t waited_before = waited(), before = cpu_of_this_thread();
    measure();
    if (waited() - waited_before <= (cpu_of_this_thread() - before) / 50) return true;
  }
  return false;
}
constexpr const char* kNoCore = "for 20 seconds this thread had to wait for a core for more than 2 % of its time";

TEST(CpuSampler, what_it_charges_adds_up_to_the_clock_and_goes_to_who_ran) {
  double first = 0, second = 0, third = 0, used = 0;
  bool measured = with_a_core_for_itself([&] {
    CpuSampler sampler(4, behind);
    std::uint64_t before = cpu_of_this_thread();
    ASSERT_TRUE(sampler.start(500));
    std::minstd_rand random;
    for (int i = 0; i < 5000; ++i) {  // a regular load could keep in step with the kernel's tick
      sampler.begin(random() % 4 == 0 ? 1 : 2);
      burn(kMillion / 10);
    }
    used = static_cast<double>(cpu_of_this_thread() - before);
    sampler.stop();
    first = static_cast<double>(sampler.nanoseconds(1)), second = static_cast<double>(sampler.nanoseconds(2));
    third = static_cast<double>(sampler.nanoseconds(3));
  });
  EXPECT_LE(first + second, used);
  EXPECT_EQ(third, 0);
  if (!measured) GTEST_SKIP() << kNoCore;
  EXPECT_NEAR(first + second, used, 0.05 * used);
  EXPECT_NEAR(first / (first + second), 0.25, 0.2);
}

TEST(CpuSampler, a_command_that_keeps_the_thread_busy_may_be_slow_until_the_next_begins) {
  bool found = false;
  std::uint64_t nanoseconds = 0;
  bool measured = with_a_core_for_itself([&] {
    CpuSampler sampler(2, behind);
    ASSERT_TRUE(sampler.start(500));
    for (int i = 0; i < 200; ++i) {
      sampler.begin(1);
      burn(kMillion / 10);
      EXPECT_FALSE(sampler.maybe_slow());
    }
    behind = false;
    sampler.begin(1);
    burn(40 * kMillion);
    found = sampler.maybe_slow() && behind;
    nanoseconds = sampler.note_slow();
    EXPECT_EQ(sampler.note_slow(), 0u) << "it was noted";
    sampler.begin(1);
    EXPECT_FALSE(sampler.maybe_slow());
  });
  if (!measured) GTEST_SKIP() << kNoCore;
  EXPECT_TRUE(found);
  EXPECT_GE(nanoseconds, 36 * kMillion);
  EXPECT_LE(nanoseconds, 44 * kMillion);
}

TEST(CpuSampler, rests_are_nobodys) {
  double first = 0, second = 0;
  bool measured = with_a_core_for_itself([&] {
    CpuSampler sampler(3, behind);
    ASSERT_TRUE(sampler.start(1000));
    for (int i = 0; i < 150; ++i) {  // the first works before long rests, the second just as much before short ones
      sampler.begin(1);
      burn(kMillion);
      rest(5 * kMillion + static_cast<std::uint64_t>(i) * kMillion / 100);
      sampler.begin(2);
      burn(kMillion);
      rest(kMillion / 10);
    }
    sampler.stop();
    first = static_cast<double>(sampler.nanoseconds(1)), second = static_cast<double>(sampler.nanoseconds(2));
  });
  if (!measured) GTEST_SKIP() << kNoCore;
  EXPECT_NEAR(first / (first + second), 0.5, 0.3);
}

TEST(CpuSampler, own_work_and_rests_are_charged_by_the_clock) {
  double charged = 0, others = 0, all = 0;
  bool measured = with_a_core_for_itself([&] {
    CpuSampler sampler(4, behind);
    std::uint64_t before = cpu_of_this_thread();
    ASSERT_TRUE(sampler.start(1000));
    std::uint64_t least = 0, most = 0;  // CPU time of own work: without the calls that begin and end it, and with them
    auto timed = [](std::uint64_t& sum, auto what) {
      std::uint64_t start = cpu_of_this_thread();
      what();
      sum += cpu_of_this_thread() - start;
    };
    auto work = [&] { timed(least, [] { burn(kMillion / 2); }); };
    for (int i = 0; i < 100; ++i) {
      sampler.begin(1);
      burn(kMillion);
      timed(most, [&] {
        sampler.begin_own();
        work();
        sampler.end_own(2, false);
      });
      EXPECT_EQ(sampler.charged(), 1u);
      burn(kMillion / 2);
      timed(most, [&] {
        sampler.begin_own();
        sampler.end_own(2, true);
        work();
        sampler.begin_own();
        sampler.end_own(2, true);
      });
    }
    std::uint64_t used = cpu_of_this_thread() - before;
    sampler.stop();
    EXPECT_GE(sampler.nanoseconds(2), least);
    EXPECT_LE(sampler.nanoseconds(2), most);
    EXPECT_LE(sampler.nanoseconds(1) + sampler.nanoseconds(2), used);
    charged = static_cast<double>(sampler.nanoseconds(1));
    others = static_cast<double>(used - most), all = static_cast<double>(used);
  });
  if (!measured) GTEST_SKIP() << kNoCore;
  EXPECT_NEAR(charged, others, 0.15 * all);
}

TEST(CpuSampler, it_sees_a_thread_that_shares_its_core) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  double charged = 0;
  bool measured = with_a_core_for_itself([&] {
    CpuSampler sampler(2, behind);
    ASSERT_TRUE(sampler.start(500));
    sampler.begin(1);
    burn(200 * kMillion);
    sampler.stop();
    charged = static_cast<double>(sampler.nanoseconds(1));
  });
  EXPECT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  if (!measured) GTEST_SKIP() << kNoCore;
  EXPECT_NEAR(charged, 200e6, 40e6);
}

TEST(CpuSampler, it_does_not_start_where_no_timer_can_be_had) {
  rlimit before, none;
  ASSERT_EQ(getrlimit(RLIMIT_SIGPENDING, &before), 0);
  none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_SIGPENDING, &none), 0);
  CpuSampler sampler(1, behind);
  EXPECT_FALSE(sampler.start(250));
  EXPECT_FALSE(sampler.running());
  ASSERT_EQ(setrlimit(RLIMIT_SIGPENDING, &before), 0);
  EXPECT_TRUE(sampler.start(250));
}

TEST(CpuSampler, it_starts_and_stops_any_number_of_times) {
  CpuSampler sampler(1, behind);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(sampler.start(1000));
    sampler.stop();
    EXPECT_FALSE(sampler.running());
  }
}

}  // namespace
}  // namespace tenants
