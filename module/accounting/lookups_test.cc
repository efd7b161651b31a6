#include "module/accounting/lookups.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tenants {
namespace {

// Runs `commands` of them; returns for how many those that were looked at stand, and their number.
std::pair<double, int> run(LookupSampler& sampler, int commands) {
  double stand_for = 0;
  int looks = 0;
  for (int i = 0; i < commands; ++i)
    if (sampler.due()) {
      stand_for += static_cast<double>(sampler.stands_for());
      ++looks;
      sampler.draw();
    }
  return {stand_for, looks};
}

TEST(LookupSampler, few_commands_are_all_looked_at) {
  LookupSampler sampler(std::random_device{}());
  for (int i = 0; i < 50; ++i) {
    auto [stand_for, looks] = run(sampler, 20);
    EXPECT_EQ(stand_for, 20);
    EXPECT_EQ(looks, 20);
    sampler.adapt(0.1);
  }
}

TEST(LookupSampler, looks_are_never_many_and_stand_for_all_commands) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  LookupSampler sampler(seed);
  // Bursts and rests: what is drawn for the one must not be charged to the other.
  double commands = 0, stand_for = 0, variance = 0;
  for (int i = 0; i < 20'000; ++i) {
    int now = static_cast<int>(std::exp(std::uniform_real_distribution<>(0, 10)(random)));
    auto [found, looks] = run(sampler, now);
    commands += now;
    stand_for += found;
    variance += (found - now) * (found - now);
    EXPECT_LT(looks, 600) << now << " commands, seed " << seed;
    sampler.adapt(0.1);
  }
  EXPECT_LT(std::abs(stand_for - commands), 5 * std::sqrt(variance)) << "of " << commands << ", seed " << seed;
  EXPECT_LT(std::sqrt(variance), 0.02 * commands);
}

TEST(LookupSampler, a_steady_stream_is_looked_at_some_250_times_a_second) {
  LookupSampler sampler(1);
  run(sampler, 100'000);
  sampler.adapt(0.1);
  int looks = 0;
  for (int i = 0; i < 100; ++i) {
    looks += run(sampler, 100'000).second;
    sampler.adapt(0.1);
  }
  EXPECT_NEAR(looks, 2'500, 300);
}

TEST(LookupSampler, a_refused_command_is_taken_back) {
  LookupSampler sampler(1);
  Cache cache;
  sampler.count(1, cache, true, 10);
  sampler.count(2, cache, true, 10);
  sampler.count(2, cache, false, 10);
  sampler.refused(1);
  EXPECT_EQ(cache.hits, 20u);
  sampler.refused(2);
  sampler.refused(2);
  EXPECT_EQ(cache.hits, 10u);
  EXPECT_EQ(cache.misses, 0u);
  EXPECT_EQ(cache.looks, 1u);
}

TEST(LookupSampler, what_waits_is_taken_out_by_its_client) {
  LookupSampler sampler(1);
  sampler.queue(7, {"a", 1, false, true});
  sampler.queue(8, {"b", 1, false, true});
  EXPECT_EQ(sampler.take_queued(7).size(), 1u);
  EXPECT_TRUE(sampler.take_queued(7).empty());
  EXPECT_TRUE(sampler.has_queued());
}

TEST(LookupSampler, no_client_takes_much_memory_or_the_room_of_others) {
  LookupSampler sampler(1);
  for (int i = 0; i < 5000; ++i) sampler.queue(7, {"k" + std::to_string(i), 1, false, true});
  sampler.queue(8, {std::string(LookupSampler::kLongestQueued + 1, 'x'), 1, false, true});
  sampler.queue(8, {std::string(LookupSampler::kLongestQueued, 'x'), 1, false, true});
  EXPECT_EQ(sampler.take_queued(8).size(), 1u);
  EXPECT_EQ(sampler.take_queued(7).size(), LookupSampler::kMostQueuedOfOne);
  for (std::uint64_t client = 1; client <= 1000; ++client)
    for (std::size_t i = 0; i < LookupSampler::kMostQueuedOfOne; ++i) sampler.queue(client, {"k", 1, false, true});
  std::size_t in_all = 0;
  for (std::uint64_t client = 1; client <= 1000; ++client) in_all += sampler.take_queued(client).size();
  EXPECT_EQ(in_all, LookupSampler::kMostQueued);
  EXPECT_FALSE(sampler.has_queued());
}

TEST(Cache, the_ratio_is_told_when_it_means_something) {
  EXPECT_FALSE(Cache{}.hit_ratio());
  EXPECT_EQ((Cache{.hits = 3, .misses = 1, .looks = 4}.hit_ratio()), 0.75);
  EXPECT_FALSE((Cache{.hits = 300, .misses = 100, .looks = 40}.hit_ratio()));
  EXPECT_EQ((Cache{.hits = 3000, .misses = 1000, .looks = 100}.hit_ratio()), 0.75);
}

}  // namespace
}  // namespace tenants
