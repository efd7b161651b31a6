#include "module/accounting/keyspace.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace tenants {
namespace {

TEST(Keyspace, flushing_and_swapping_databases_move_their_counts) {
  PrefixTable prefixes(10, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  for (const char* key : {"a:1", "a:2", "b:1"}) keyspace.appeared(0, key);
  keyspace.appeared(3, "a:1");
  keyspace.swapped(0, 3);
  keyspace.flushed(0);
  EXPECT_EQ(keyspace.keys(prefixes.match("a:")), 2u);
  keyspace.flushed(-1);
  EXPECT_EQ(keyspace.total(), 0u);
}

TEST(Keyspace, an_overwritten_destination_is_found_by_the_sum) {
  PrefixTable prefixes(10, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  keyspace.appeared(0, "a:1");
  keyspace.appeared(0, "b:1");
  keyspace.appeared(0, "b:1");  // RENAME a:1 b:1
  keyspace.vanished(0, "a:1");
  keyspace.replaced(0, "b:1", 1);
  EXPECT_EQ(keyspace.keys(prefixes.match("b:")), 1u);
  EXPECT_EQ(keyspace.total(), 1u);
}

// Keys that were there before, and traffic while the pass walks over them in random order.
TEST(Keyspace, seeding_under_traffic_ends_exact) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    PrefixTable prefixes(100, ":", random());
    Keyspace keyspace(prefixes, true, random());
    std::set<std::string> keys;
    auto name = [&] {
      return std::string(1, static_cast<char>('a' + random() % 5)) + ":" + std::to_string(random() % 800);
    };
    for (int i = 0; i < 500; ++i) keys.insert(name());
    keyspace.request_seeding(false);
    bool good = false;
    for (int attempt = 0; attempt < 5 && !good; ++attempt) {
      keyspace.begin_pass(keys.size());
      std::vector<std::string> order(keys.begin(), keys.end());
      std::shuffle(order.begin(), order.end(), random);
      for (const std::string& key : order) {
        if (keys.contains(key)) keyspace.visit(0, prefixes.match(key), key);
        std::string other = name();
        if (keys.erase(other)) {
          keyspace.vanished(0, other);
        } else {
          keys.insert(other);
          keyspace.appeared(0, other);
        }
      }
      good = keyspace.end_pass(1, [&](int) { return keys.size(); });
    }
    ASSERT_TRUE(good) << "seed " << seed;
    std::map<std::uint32_t, std::uint64_t> truth;
    for (const std::string& key : keys) ++truth[prefixes.match(key)];
    for (auto& [row, count] : truth) ASSERT_EQ(keyspace.keys(row), count) << "seed " << seed;
    EXPECT_EQ(keyspace.drift(), 0u);
  }
}

TEST(Keyspace, a_correction_is_counted_as_drift) {
  PrefixTable prefixes(10, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  keyspace.appeared(0, "a:1");
  EXPECT_FALSE(keyspace.adds_up(1, [](int) { return 2u; }));
  keyspace.request_seeding(true);
  keyspace.begin_pass(2);
  for (const char* key : {"a:1", "b:1"}) keyspace.visit(0, prefixes.match(key), key);
  EXPECT_TRUE(keyspace.end_pass(1, [](int) { return 2u; }));
  EXPECT_EQ(keyspace.drift(), 1u);
  EXPECT_EQ(keyspace.mode(), Keyspace::Mode::kExact);
}

}  // namespace
}  // namespace tenants
