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
  EXPECT_EQ(keyspace.keys(prefixes.match(0, "a:")), 2u);
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
  EXPECT_EQ(keyspace.keys(prefixes.match(0, "b:")), 1u);
  EXPECT_EQ(keyspace.total(), 1u);
}

TEST(Keyspace, keys_on_the_way_count_when_their_slots_have_arrived) {
  PrefixTable prefixes(10, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  const SlotRange foo[] = {{12182, 12182}}, other[] = {{0, 0}};
  std::uint32_t row = prefixes.match(0, "a:");
  keyspace.appeared(0, "a:1");
  keyspace.import_began(foo, true);
  keyspace.import_began(other, true);
  for (const char* key : {"a:{foo}1", "a:{foo}2", "a:{foo}3", "a:{06S}", "a:2"}) keyspace.appeared(0, key);
  keyspace.vanished(0, "a:{foo}2");
  EXPECT_EQ(keyspace.keys(row), 2u);
  keyspace.import_ended(foo);
  EXPECT_EQ(keyspace.keys(row), 4u);
  EXPECT_EQ(keyspace.mode(), Keyspace::Mode::kExact);
  keyspace.vanished(0, "a:{06S}");  // aborted: the server removes them first
  keyspace.import_ended(other);
  EXPECT_EQ(keyspace.keys(row), 4u);
  EXPECT_FALSE(keyspace.importing());
  EXPECT_EQ(keyspace.mode(), Keyspace::Mode::kExact);
}

TEST(Keyspace, keys_that_arrive_are_counted_anew_where_their_rows_moved_meanwhile) {
  PrefixTable prefixes(10, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  const SlotRange foo[] = {{12182, 12182}};
  keyspace.import_began(foo, true);
  keyspace.appeared(0, "a:{foo}1");
  keyspace.request_seeding(false);
  keyspace.begin_pass({});
  EXPECT_TRUE(keyspace.end_pass({})) << "what is on the way is no part of it";
  EXPECT_EQ(keyspace.total(), 0u);
  keyspace.import_ended(foo);
  EXPECT_EQ(keyspace.mode(), Keyspace::Mode::kSeeding);
  EXPECT_EQ(keyspace.total(), 1u) << "as good as known";
}

TEST(Keyspace, a_pass_during_which_keys_arrive_is_repeated) {
  PrefixTable prefixes(10, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  const SlotRange foo[] = {{12182, 12182}};
  keyspace.import_began(foo, true);
  keyspace.request_seeding(false);
  keyspace.begin_pass({});
  keyspace.appeared(0, "a:{foo}1");
  keyspace.import_ended(foo);
  EXPECT_FALSE(keyspace.end_pass({{0, 1}}));
}

TEST(Keyspace, a_row_of_keys_on_the_way_is_not_given_away) {
  PrefixTable prefixes(2, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  const SlotRange foo[] = {{12182, 12182}};
  keyspace.import_began(foo, true);
  keyspace.appeared(0, "a:{foo}1");
  keyspace.begin_pass({});
  keyspace.appeared(0, "b:1");
  keyspace.appeared(0, "c:1");
  keyspace.import_ended(foo);
  EXPECT_EQ(keyspace.keys(prefixes.match(0, "a:")), 1u);
  EXPECT_EQ(keyspace.total(), 3u);
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
      keyspace.begin_pass({{0, keys.size()}});
      std::vector<std::string> order(keys.begin(), keys.end());
      std::shuffle(order.begin(), order.end(), random);
      for (const std::string& key : order) {
        if (keys.contains(key)) keyspace.visit(0, prefixes.match(0, key), key);
        std::string other = name();
        if (random() % 4 == 0) {  // RENAME, onto a key that may be there, or have been there
          std::string from = name();
          if (from == other || !keys.erase(from)) continue;
          keyspace.appeared(0, other);
          keyspace.vanished(0, from);
          keys.insert(other);
          keyspace.replaced(0, other, keys.size());
        } else if (keys.erase(other)) {
          keyspace.vanished(0, other);
        } else {
          keys.insert(other);
          keyspace.appeared(0, other);
        }
      }
      good = keyspace.end_pass({{0, keys.size()}});
    }
    ASSERT_TRUE(good) << "seed " << seed;
    std::map<std::uint32_t, std::uint64_t> truth;
    for (const std::string& key : keys) ++truth[prefixes.match(0, key)];
    for (auto& [row, count] : truth) ASSERT_EQ(keyspace.keys(row), count) << "seed " << seed;
    EXPECT_EQ(keyspace.drift(), 0u);
  }
}

TEST(Keyspace, a_pass_that_does_not_add_up_is_shown_where_it_knows_better) {
  PrefixTable prefixes(10, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  keyspace.request_seeding(false);  // there are 100 keys that nobody has counted
  auto pass = [&](int met, std::uint64_t there) {
    keyspace.begin_pass({{0, there}});
    for (int i = 0; i < met; ++i) keyspace.visit(0, prefixes.match(0, "a:"), "a:" + std::to_string(i));
    return keyspace.end_pass({{0, there}});
  };
  EXPECT_FALSE(pass(98, 100));
  EXPECT_EQ(keyspace.keys(prefixes.match(0, "a:")), 98u);
  EXPECT_FALSE(pass(50, 100)) << "worse";
  EXPECT_EQ(keyspace.keys(prefixes.match(0, "a:")), 98u);
  EXPECT_TRUE(keyspace.wants_seeding());
  EXPECT_TRUE(pass(100, 100));
  EXPECT_EQ(keyspace.keys(prefixes.match(0, "a:")), 100u);
  EXPECT_FALSE(keyspace.wants_seeding());
}

TEST(Keyspace, it_tells_how_much_room_there_is_for_keys_that_appear_during_a_pass) {
  PrefixTable prefixes(10, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  keyspace.request_seeding(false);
  EXPECT_EQ(keyspace.haste(), 0);
  keyspace.begin_pass({{0, 1000}});
  for (int i = 0; i < 2048; ++i) keyspace.appeared(0, "a:" + std::to_string(i));
  EXPECT_EQ(keyspace.haste(), 0.5) << "of 4,096";
}

TEST(Keyspace, a_correction_is_counted_as_drift) {
  PrefixTable prefixes(10, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  keyspace.appeared(0, "a:1");
  EXPECT_FALSE(keyspace.adds_up([](int) { return 2u; }));
  keyspace.request_seeding(true);
  keyspace.begin_pass({{0, 2}});
  for (const char* key : {"a:1", "b:1"}) keyspace.visit(0, prefixes.match(0, key), key);
  EXPECT_TRUE(keyspace.end_pass({{0, 2}}));
  EXPECT_EQ(keyspace.drift(), 1u);
  EXPECT_EQ(keyspace.mode(), Keyspace::Mode::kExact);
}

TEST(Keyspace, a_data_set_loaded_aside_takes_the_place_of_the_old_one_or_vanishes) {
  for (bool taken : {true, false}) {
    PrefixTable prefixes(10, ":", 1);
    Keyspace keyspace(prefixes, true, 1);
    keyspace.appeared(0, "old:1");
    keyspace.begin_loading_aside();
    keyspace.loaded_aside(0, "new:1");
    keyspace.loaded_aside(1, "new:2");
    keyspace.appeared(0, "old:2");  // the old one still serves
    EXPECT_EQ(keyspace.total(), 2u);
    keyspace.end_loading_aside(taken);
    EXPECT_EQ(keyspace.keys(prefixes.match(0, "new:")), taken ? 2u : 0u);
    EXPECT_EQ(keyspace.keys(prefixes.match(0, "old:")), taken ? 0u : 2u);
    EXPECT_TRUE(keyspace.adds_up([&](int db) { return taken ? 1u : db == 0 ? 2u : 0u; }));
  }
}

TEST(Keyspace, a_heavy_orphan_takes_the_row_of_a_light_one) {
  PrefixTable prefixes(2, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  std::vector<std::string> keys = {"a:1", "b:1", "b:2", "b:3"};
  for (int i = 0; i < 9; ++i) keys.push_back("heavy:" + std::to_string(i));
  for (const std::string& key : keys) keyspace.appeared(0, key);
  EXPECT_EQ(keyspace.keys(PrefixTable::kOther), 9u);
  std::vector<HeavyNames::Counted> heavy = {{"heavy:", 9}, {"none:", 2}};
  EXPECT_TRUE(keyspace.displaces(heavy));
  EXPECT_FALSE(keyspace.displaces({{"x:", 2}})) << "twice as many keys are not more than that";
  keyspace.request_seeding(false);
  keyspace.begin_pass({{0, keys.size()}}, heavy);
  for (const std::string& key : keys) keyspace.visit(0, prefixes.match(0, key), key);
  EXPECT_TRUE(keyspace.end_pass({{0, keys.size()}}));
  EXPECT_EQ(keyspace.keys(prefixes.match(0, "heavy:x")), 9u);
  EXPECT_EQ(prefixes[prefixes.match(0, "heavy:x")].name, "heavy:");
  EXPECT_EQ(keyspace.keys(prefixes.match(0, "b:x")), 3u);
  EXPECT_EQ(keyspace.keys(PrefixTable::kOther), 1u) << "a:1";
  EXPECT_EQ(keyspace.drift(), 0u);
}

TEST(Keyspace, an_orphan_that_makes_room_counts_under_other) {
  PrefixTable prefixes(2, ":", 1);
  Keyspace keyspace(prefixes, true, 1);
  for (const char* key : {"a:1", "a:2", "b:1"}) keyspace.appeared(0, key);
  EXPECT_TRUE(keyspace.vacate_orphans());
  EXPECT_EQ(keyspace.keys(PrefixTable::kOther), 1u);
  EXPECT_EQ(keyspace.keys(prefixes.match(0, "a:3")), 2u);
  EXPECT_EQ(keyspace.total(), 3u);
  EXPECT_TRUE(keyspace.vacate_orphans());
  EXPECT_FALSE(keyspace.vacate_orphans());
  EXPECT_EQ(keyspace.keys(PrefixTable::kOther), 3u);
}

}  // namespace
}  // namespace tenants
