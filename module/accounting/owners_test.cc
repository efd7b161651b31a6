#include "module/accounting/owners.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>

namespace tenants {
namespace {

class OwnersTest : public testing::Test {
 protected:
  explicit OwnersTest(std::size_t prefixes = 100) : table(prefixes, ":", 1), users(20), owners(table, users) {
    for (const char* name : {"a", "b", "c", "d", "e"}) users.add(name);
  }

  std::uint32_t row(std::string_view user) const { return users.find(user); }
  bool set(std::string_view user, std::string_view keys, bool enabled = true) {
    return owners.set(row(user), {enabled, patterns_of_keys(keys)});
  }
  // Of the row that a key below this head has; "" where nobody owns it.
  std::string owner(std::string_view head) {
    const Prefix& prefix = table[table.match(0, std::string(head) + "x")];
    return prefix.in_acl && prefix.name == head ? users[prefix.owner].name : "";
  }
  std::uint32_t holders(std::string_view head) { return table[table.match(0, std::string(head) + "x")].users; }

  PrefixTable table;
  UserTable users;
  Owners owners;
};

TEST_F(OwnersTest, the_writer_with_fewest_patterns_owns) {
  set("a", "~x:* ~y:*"), set("b", "~x:*"), set("c", "%R~y:*");
  EXPECT_EQ(owner("x:"), "b");
  EXPECT_EQ(owner("y:"), "a");
}

TEST_F(OwnersTest, a_head_knows_how_many_users_have_it) {
  set("a", "~x:*"), set("b", "~x:* ~x:*"), set("c", "%R~x:*"), set("d", "~x:y:*");
  EXPECT_EQ(holders("x:"), 3u);
  EXPECT_EQ(holders("x:y:"), 1u);
}

TEST_F(OwnersTest, an_enabled_user_comes_before_a_disabled_one) {
  set("a", "~x:*", false), set("b", "~x:*");
  EXPECT_EQ(owner("x:"), "b");
  set("a", "~x:*"), set("b", "~x:*", false);
  EXPECT_EQ(owner("x:"), "a");
}

TEST_F(OwnersTest, all_keys_and_readers_own_nothing) {
  EXPECT_FALSE(set("a", "~*"));
  EXPECT_FALSE(set("b", "%R~x:*"));
  EXPECT_EQ(owner("x:"), "");
}

TEST_F(OwnersTest, readers_are_there_before_the_writer_and_after) {
  set("a", "%R~x:*");
  set("b", "~x:*");
  EXPECT_EQ(owner("x:"), "b");
  EXPECT_EQ(holders("x:"), 2u);
  set("b", "%R~x:*");
  EXPECT_EQ(owner("x:"), "");
  set("a", "%W~x:*");
  EXPECT_EQ(owner("x:"), "a");
  EXPECT_EQ(holders("x:"), 2u);
}

TEST_F(OwnersTest, the_next_one_owns_when_the_owner_goes_or_ranks_behind) {
  set("a", "~x:*"), set("b", "~x:* ~y:*"), set("c", "~x:* ~y:* ~z:*");
  EXPECT_EQ(owner("x:"), "a");
  EXPECT_FALSE(set("a", ""));
  EXPECT_EQ(owner("x:"), "b");
  set("b", "~x:* ~y:* ~z:* ~w:*");
  EXPECT_EQ(owner("x:"), "c");
  EXPECT_EQ(holders("x:"), 2u);
}

TEST_F(OwnersTest, only_a_change_that_moves_keys_asks_for_a_new_count) {
  EXPECT_FALSE(set("a", "~app1:*"));
  EXPECT_FALSE(set("b", "~app1:* ~app2:*"));
  EXPECT_TRUE(set("a", "~app1:* ~app1:cache:*"));
  EXPECT_TRUE(set("a", "~app1:*"));
  EXPECT_FALSE(set("a", ""));
  EXPECT_FALSE(set("b", ""));
  EXPECT_EQ(owner("app1:"), "");
}

TEST_F(OwnersTest, users_without_a_row_of_their_own_add_up_until_they_are_forgotten) {
  auto others = [&](std::string_view keys) { owners.set(UserTable::kOther, {true, patterns_of_keys(keys)}); };
  others("~x:*"), others("~y:*");
  EXPECT_EQ(owner("x:"), "(other)");
  EXPECT_EQ(owner("y:"), "(other)");
  owners.forget_others();
  others("~y:*");
  owners.forget_others();
  EXPECT_EQ(owner("x:"), "");
  EXPECT_EQ(owner("y:"), "(other)");
}

struct Few : OwnersTest {
  Few() : OwnersTest(2) {}
};

TEST_F(Few, what_finds_no_room_is_taken_in_when_there_is_some) {
  set("a", "~x:* ~y:*");
  EXPECT_FALSE(owners.lacks_room());
  set("b", "~z:*");
  EXPECT_TRUE(owners.lacks_room());
  set("a", "~x:*");
  for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row)
    if (table.used(row) && !table[row].in_acl) table.release(row);
  table.reopen();
  owners.begin_all();
  set("b", "~z:*");
  EXPECT_FALSE(owners.lacks_room());
  EXPECT_EQ(owner("z:"), "b");
}

// Patterns of the same head, more than there is room for. Users come, change and go; whoever gets room is set again,
// when it comes to it. In the end as many have rows as can.
TEST(Owners, room_among_patterns_of_one_head_goes_to_who_has_none) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  PrefixTable table(2000, ":", 1);
  UserTable users(200);
  Owners owners(table, users);
  std::map<std::uint32_t, UserKeys> has;
  for (int i = 0; i < 90; ++i) has[users.add("u" + std::to_string(i))];
  std::vector<std::uint32_t> to_be_set;
  auto set = [&](std::uint32_t user) {
    owners.set(user, has[user]);
    for (; std::uint32_t next = owners.gets_room(); owners.will_be_set()) to_be_set.push_back(next);
  };
  auto set_one = [&] {
    std::swap(to_be_set[random() % to_be_set.size()], to_be_set.back());
    std::uint32_t user = to_be_set.back();
    to_be_set.pop_back();
    set(user);
  };
  auto random_keys = [&](UserKeys& keys) {
    for (unsigned i = random() % 14; i > 0; --i) {
      std::string star = random() % 2 ? "*" : "a*";  // two heads
      const char* access = random() % 4 ? "~" : "%R~";
      for (KeyPattern& pattern : patterns_of_keys(access + star + std::to_string(random() % 150)))
        keys.patterns.push_back(std::move(pattern));
      if (random() % 2 == 0) limit_to_databases(keys.patterns.back(), {1, static_cast<int>(random() % 3) + 2});
    }
  };
  auto check = [&] {
    std::set<std::string> wanted, have;
    std::map<std::pair<std::string, int>, std::size_t> of_place;  // head and database, -1: all
    auto for_each_place = [&](const std::string& name, auto visit) {
      Limits limits = limits_of_name(name);
      std::string head = head_of_glob(limits.glob);
      if (limits.databases.empty()) visit(std::pair(head, -1));
      for_each_database(limits.databases, [&](int db) { visit(std::pair(head, db)); });
    };
    for (const auto& [user, keys] : has)
      for (const KeyPattern& pattern : keys.patterns)
        if (pattern.writes) wanted.insert(pattern.name);
    for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row)
      if (table.used(row) && table[row].in_acl) have.insert(table[row].name);
    for (const std::string& name : have) for_each_place(name, [&](const auto& place) { ++of_place[place]; });
    EXPECT_TRUE(std::ranges::includes(wanted, have));
    for (const std::string& name : wanted) {
      bool full = false;
      for_each_place(name, [&](const auto& place) { full |= of_place[place] >= PrefixTable::kMostMatching; });
      EXPECT_TRUE(have.contains(name) || full) << name;
    }
    return wanted.size() - have.size();
  };
  std::size_t lacked = 0;
  for (int round = 0; round < 60; ++round) {
    for (int step = 0; step < 200; ++step) {  // more and more users, then fewer and fewer
      auto& [user, keys] = *std::next(has.begin(), static_cast<int>(random() % has.size()));
      keys = {};
      if (step < 100 || random() % 4 == 0) random_keys(keys);
      set(user);
      while (!to_be_set.empty() && random() % 2) set_one();
      if (step != 100) continue;
      while (!to_be_set.empty()) set_one();
      lacked += check();
    }
    while (!to_be_set.empty()) set_one();
    check();
  }
  EXPECT_GT(lacked, 0u);
  EXPECT_FALSE(owners.lacks_room());
}

// Against a plain search through all that all users have.
TEST(Owners, random_changes_lead_to_where_a_whole_reading_leads) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const std::string heads[] = {"a:", "b:", "c:", "a:b:", "x", "a:c"};
  PrefixTable table(100, ":", 1);
  UserTable users(20);
  Owners owners(table, users);
  struct Keys {
    bool enabled = false;
    std::vector<std::tuple<std::string, Covers, bool>> patterns;  // name, what it covers, writes
  };
  std::map<std::string, Keys> truth;
  for (char name = 'a'; name < 'i'; ++name) users.add(truth.try_emplace(std::string(1, name)).first->first);
  for (int step = 0; step < 20'000; ++step) {
    auto& [name, keys] = *std::next(truth.begin(), static_cast<int>(random() % truth.size()));
    keys = {random() % 4 != 0, {}};
    UserKeys read{keys.enabled, {}};
    for (unsigned i = random() % 6; i > 0; --i) {
      const auto& pattern =
          keys.patterns.emplace_back(heads[random() % 6], static_cast<Covers>(random() % 3), random() % 3 != 0);
      read.patterns.push_back({std::get<0>(pattern), std::get<1>(pattern), std::get<2>(pattern)});
    }
    owners.set(users.find(name), read);
    for (const std::string& head : heads)
      for (Covers covers : {Covers::kBelow, Covers::kOne, Covers::kMatching}) {
        std::set<std::tuple<bool, std::size_t, std::string>> writers;
        std::set<std::string> holders;
        for (const auto& [user, has] : truth)
          for (const auto& [of, which, writes] : has.patterns) {
            if (of != head || which != covers) continue;
            holders.insert(user);
            if (writes) writers.insert({!has.enabled, has.patterns.size(), user});
          }
        const Prefix* found = nullptr;
        for (std::uint32_t row : table.named(head))
          if (table[row].covers == covers && table[row].in_acl) found = &table[row];
        ASSERT_EQ(found != nullptr, !writers.empty()) << "seed " << seed << " step " << step << " " << head;
        if (!found) continue;
        ASSERT_EQ(users[found->owner].name, std::get<2>(*writers.begin())) << "seed " << seed << " step " << step;
        ASSERT_EQ(found->users, holders.size()) << "seed " << seed << " step " << step;
      }
  }
}

}  // namespace
}  // namespace tenants
