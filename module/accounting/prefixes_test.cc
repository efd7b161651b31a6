#include "module/accounting/prefixes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "module/accounting/glob.h"

namespace tenants {
namespace {

struct Head {
  std::string name;
  Covers covers = Covers::kBelow;
};

// What the ACL has now, and nothing else. True where keys have to be counted again.
bool set_acl(
    PrefixTable& table, const std::vector<Head>& heads, const std::function<bool()>& make_room = [] { return false; }) {
  bool moves = false;
  for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row) {
    auto is_row = [&](const Head& head) { return head.name == table[row].name && head.covers == table[row].covers; };
    if (table.used(row) && table[row].in_acl && std::ranges::none_of(heads, is_row)) moves |= table.leave_acl(row);
  }
  for (const Head& head : heads) moves |= table.enter_acl(head.name, head.covers, make_room).moves_keys;
  return moves;
}

std::string name_of(PrefixTable& table, std::string_view key) { return table[table.match(0, key)].name; }

TEST(Prefix, keeps_what_the_last_complete_pass_saw_and_the_one_that_runs) {
  Prefix prefix;
  prefix.seen_now(1, 0).seen = 10;
  EXPECT_EQ(prefix.seen_in(1)->seen, 10u);
  EXPECT_EQ(prefix.seen_in(0), nullptr);
  prefix.seen_now(2, 1).seen = 20;
  EXPECT_EQ(prefix.seen_in(1)->seen, 10u);
  prefix.seen_now(3, 1).seen = 30;  // the second one was given up
  EXPECT_EQ(prefix.seen_in(1)->seen, 10u);
  EXPECT_EQ(prefix.seen_in(2), nullptr);
  prefix.seen_now(5, 4).seen = 50;  // the fourth met none of its keys
  EXPECT_EQ(prefix.seen_in(4), nullptr);
  EXPECT_EQ(prefix.seen_in(5)->seen, 50u);
}

TEST(Prefix, takes_over_what_was_seen_of_another) {
  Prefix mine, theirs;
  mine.seen_now(1, 0).seen = 1;
  theirs.seen_now(1, 0).seen = 2;
  theirs.seen_now(2, 1).seen = 3;
  theirs.cache.misses = 5;
  mine.take_over(theirs);
  EXPECT_EQ(mine.seen_in(1)->seen, 3u);
  EXPECT_EQ(mine.seen_in(2)->seen, 3u);
  EXPECT_EQ(mine.cache.misses, 5u);
  EXPECT_EQ(theirs.cache.misses, 0u);
  Prefix now, before;
  now.seen_now(3, 2).seen = 7;
  before.seen_now(2, 1).seen = 4;
  now.take_over(before);
  EXPECT_EQ(now.seen_in(3)->seen, 7u);
  EXPECT_EQ(now.seen_in(2)->seen, 4u);
}

TEST(Prefix, keeps_what_was_met_at_random_in_this_period_and_the_one_before) {
  Prefix prefix;
  auto met = [&](std::uint64_t period, bool alone) {
    return prefix.met_in(period, alone).value_or(RandomSample()).met();
  };
  EXPECT_FALSE(prefix.was_met_in(1));
  for (int i = 0; i < 3; ++i) prefix.met_now(1).meet_string(100);
  EXPECT_EQ(met(1, false), 3);
  EXPECT_EQ(met(2, false), 3);
  EXPECT_EQ(met(2, true), 0);
  EXPECT_EQ(met(3, false), 0);
  EXPECT_EQ(met(0, false), 0);
  prefix.met_now(2).meet_other();
  EXPECT_EQ(met(2, false), 4);
  EXPECT_EQ(met(2, true), 1);
  prefix.met_now(4).meet_other();  // none in the third
  EXPECT_EQ(met(4, false), 1);
  Prefix other;
  other.met_now(4).meet_other();
  prefix.take_over(other);
  EXPECT_EQ(met(4, true), 2);
  EXPECT_TRUE(prefix.was_met_in(5));
  EXPECT_FALSE(prefix.was_met_in(6));
}

TEST(Prefixes, a_row_whose_keys_were_met_stays_although_none_is_counted_yet) {
  PrefixTable table(2, ":", 1);
  table.begin_period(1);
  table[table.match(0, "a:1")].met_now(1).meet_other();
  table.match(0, "b:1");
  table.reclaim(0, 100, [](std::uint32_t) { return true; });
  EXPECT_EQ(table.in_use(), 1u);
  EXPECT_EQ(table.named("a:").size(), 1u);
  table.begin_period(3);
  table.reclaim(0, 100, [](std::uint32_t) { return true; });
  EXPECT_EQ(table.in_use(), 0u);
}

TEST(Prefixes, a_key_belongs_to_the_longest_matching_prefix) {
  PrefixTable table(100, ":", 1);
  set_acl(table, {{"app1:"}, {"app1:cache:"}, {"ap"}});
  EXPECT_EQ(name_of(table, "app1:x"), "app1:");
  EXPECT_EQ(name_of(table, "app1:cache:x"), "app1:cache:");
  EXPECT_EQ(name_of(table, "app1:cache"), "app1:");
  EXPECT_EQ(name_of(table, "apple"), "ap");
  EXPECT_EQ(name_of(table, "foo:bar:x"), "foo:");
  EXPECT_EQ(name_of(table, "foo"), "(none)");
  EXPECT_EQ(name_of(table, ""), "(none)");
  EXPECT_EQ(name_of(table, ":x"), "(none)");
  EXPECT_EQ(name_of(table, ":x:y"), ":x:");
}

TEST(Prefixes, an_exact_pattern_owns_one_key) {
  PrefixTable table(100, ":", 1);
  set_acl(table, {{"counter", Covers::kOne}, {"a:", Covers::kOne}});
  EXPECT_EQ(name_of(table, "counter"), "counter");
  EXPECT_EQ(name_of(table, "counters"), "(none)");
  EXPECT_TRUE(table[table.match(0, "a:")].in_acl);
  EXPECT_FALSE(table[table.match(0, "a:b")].in_acl);
}

TEST(Prefixes, an_exact_pattern_that_left_the_acl_owns_nothing) {
  PrefixTable table(100, ":", 1);
  set_acl(table, {{"a:1", Covers::kOne}, {"b:1", Covers::kOne}});
  set_acl(table, {{"b:1", Covers::kOne}});
  EXPECT_EQ(name_of(table, "a:1"), "a:");
}

TEST(Prefixes, a_pattern_with_more_than_a_star_at_its_end_has_only_what_it_matches) {
  PrefixTable table(100, ":", 1);
  set_acl(table, {{"t:*:cache:*", Covers::kMatching},
                  {"t:*:c*", Covers::kMatching},
                  {"*.reply", Covers::kMatching},
                  {"t:1:"},
                  {"u:"},
                  {"u:?", Covers::kMatching},
                  {"u:x", Covers::kOne}});
  EXPECT_EQ(name_of(table, "t:2:cache:x"), "t:*:cache:*");
  EXPECT_EQ(name_of(table, "t:2:cat"), "t:*:c*");
  EXPECT_EQ(name_of(table, "t:1:cache:x"), "t:1:");  // the longer head
  EXPECT_EQ(name_of(table, "t:2:queue"), "t:");
  EXPECT_FALSE(table[table.match(0, "t:2:queue")].in_acl);
  EXPECT_EQ(name_of(table, "t:2.reply"), "*.reply");
  EXPECT_EQ(name_of(table, "u:y"), "u:?");
  EXPECT_EQ(name_of(table, "u:x"), "u:x");
  EXPECT_EQ(name_of(table, "u:yy"), "u:");
  set_acl(table, {{"t:*:c*", Covers::kMatching}});
  EXPECT_EQ(name_of(table, "t:2:cache:x"), "t:*:c*");
  EXPECT_EQ(name_of(table, "x.reply"), "(none)");
}

TEST(Prefixes, a_pattern_of_some_databases_has_keys_of_these_only) {
  PrefixTable table(5000, ":", 1);
  EXPECT_FALSE(table.limited());
  set_acl(table, {{"db=5 ~*", Covers::kMatching},
                  {"db=5-6 ~app1:*", Covers::kMatching},
                  {"db=6 ~app1:*", Covers::kMatching},
                  {"app1:c"},
                  {"app2:"}});
  EXPECT_TRUE(table.limited());
  auto name = [&](int db, std::string_view key) { return table[table.match(db, key)].name; };
  EXPECT_EQ(name(0, "app1:x"), "app1:");
  EXPECT_FALSE(table[table.match(0, "app1:x")].in_acl);
  EXPECT_EQ(name(5, "app1:x"), "db=5-6 ~app1:*");
  EXPECT_EQ(name(6, "app1:x"), "db=6 ~app1:*");  // the narrower
  EXPECT_EQ(name(5, "app1:cx"), "app1:c");       // the longer head
  EXPECT_EQ(name(5, "app2:x"), "app2:");
  auto title = [&](int db, std::string_view key) { return table.title(table.match(db, key)); };
  EXPECT_EQ(title(5, "app1:x").name, "db=5-6 ~app1:*") << "there are two of that name";
  EXPECT_FALSE(title(0, "app1:x").elsewhere);
  table.leave_acl(table.match(6, "app1:x"));
  for (int db : {5, 6}) EXPECT_EQ(title(db, "app1:x").name, "app1:");
  EXPECT_EQ(title(5, "app1:x").covers, Covers::kBelow);
  EXPECT_EQ(table.named("app1:"), (std::vector{table.match(0, "app1:x"), table.match(5, "app1:x")}));
  EXPECT_TRUE(title(0, "app1:x").elsewhere);
  EXPECT_EQ(title(0, "app1:x").name, "app1:");
  EXPECT_EQ(title(5, "x").name, "db=5 ~*");
  table.enter_named("app1:");
  EXPECT_EQ(title(5, "app1:x").name, "db=5-6 ~app1:*") << "another row has the name";
  EXPECT_FALSE(title(0, "app1:x").elsewhere);
  table.leave_named(table.match(0, "app1:x"));
  EXPECT_EQ(name(5, "x"), "db=5 ~*");
  EXPECT_EQ(name(5, ""), "db=5 ~*");
  EXPECT_EQ(name(6, "x"), "(none)");
  EXPECT_TRUE(table.enter_acl("x:", Covers::kBelow).moves_keys) << "it takes keys from db=5";
  table.enter_acl("db=5 ~", Covers::kMatching);
  EXPECT_EQ(name(5, ""), "db=5 ~*");  // the longer pattern
  std::vector<Head> heads;
  for (int i = 0; i < 1000; ++i) heads.push_back({"db=" + std::to_string(i) + " ~*", Covers::kMatching});
  set_acl(table, heads);
  EXPECT_EQ(table.dropped(), 0u);
  for (int i : {0, 500, 999}) EXPECT_EQ(name(i, "x:y"), "db=" + std::to_string(i) + " ~*");
  set_acl(table, {});
  EXPECT_FALSE(table.limited());
  EXPECT_EQ(name(5, "x"), "(none)");
  EXPECT_EQ(table.enter_acl("db=0-65536 ~*", Covers::kMatching).row, 0u) << "one database too many";
  EXPECT_EQ(table.dropped(), 1u);
}

TEST(Prefixes, a_pattern_is_found_whatever_its_head_hashes_to) {
  PrefixTable table(10, ":", 0);  // nothing hashes to 0
  set_acl(table, {{"*a", Covers::kMatching}});
  EXPECT_EQ(name_of(table, "xa"), "*a");
}

TEST(Prefixes, of_one_head_no_more_patterns_are_tried_than_a_bound) {
  PrefixTable table(1000, ":", 1);
  std::vector<Head> heads;
  for (int i = 0; i < 70; ++i) heads.push_back({"t:*:" + std::to_string(100 + i), Covers::kMatching});
  set_acl(table, heads);
  EXPECT_EQ(table.in_use(), PrefixTable::kMostMatching);
  EXPECT_EQ(table.dropped(), 70 - PrefixTable::kMostMatching);
  EXPECT_EQ(name_of(table, "t:x:100"), "t:*:100");
  EXPECT_EQ(name_of(table, "t:x:169"), "t:");
  heads.erase(heads.begin(), heads.begin() + 10);
  set_acl(table, heads);
  EXPECT_EQ(name_of(table, "t:x:169"), "t:*:169");
  EXPECT_EQ(name_of(table, "t:x:100"), "t:");
}

TEST(Prefixes, match_agrees_with_a_plain_search_on_random_names) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  auto word = [&](std::size_t longest) {
    std::string text(random() % (longest + 1), '\0');
    for (char& c : text) c = "ab:;"[random() % 4];
    return text;
  };
  for (int round = 0; round < 600; ++round) {
    PrefixTable table(5000, ":;", random());
    std::vector<Head> acl, plain;
    for (int i = 0; i < 8; ++i) {
      auto covers = static_cast<Covers>(random() % 3);
      std::string name = word(5);
      if (covers == Covers::kMatching) name += std::string("*?", 1 + random() % 2) + "a:"[random() % 2] + word(2);
      if (!name.empty()) acl.push_back({name, covers});
      if (!name.empty() && covers == Covers::kBelow && round % 2) plain.push_back(acl.back());
    }
    set_acl(table, plain), set_acl(table, acl), set_acl(table, plain);
    for (const std::vector<Head>& heads : {plain, acl}) {
      set_acl(table, heads);
      for (int i = 0; i < 100; ++i) {
        std::string key = word(9), expected;
        auto best = std::tuple(std::size_t{0}, 0, std::size_t{0}, std::string());  // head, kind, length, name backwards
        for (const auto& [name, covers] : heads) {
          std::string head = covers == Covers::kMatching ? head_of_glob(name) : name;
          bool has = covers == Covers::kBelow ? key.starts_with(name)
                     : covers == Covers::kOne ? key == name
                                              : matches(name, key);
          std::string backwards = name;
          for (char& c : backwards) c = static_cast<char>(~c);
          auto rank = std::tuple(head.size(),
                                 covers == Covers::kOne        ? 3
                                 : covers == Covers::kMatching ? 2
                                                               : 1,
                                 name.size(), backwards);
          if (has && rank > best) best = rank, expected = name;
        }
        std::size_t end = key.empty() ? std::string::npos : key.find_first_of(":;", 1);
        if (std::get<1>(best) == 0) expected = end == std::string::npos ? "(none)" : key.substr(0, end + 1);
        ASSERT_EQ(name_of(table, key), expected) << "seed " << seed << " key " << key;
      }
    }
  }
}

TEST(Prefixes, what_does_not_fit_falls_under_other_until_rows_are_reclaimed) {
  PrefixTable table(2, ":", 1);
  EXPECT_EQ(name_of(table, "a:1"), "a:");
  EXPECT_EQ(name_of(table, "b:1"), "b:");
  EXPECT_EQ(name_of(table, "c:1"), "(other)");
  EXPECT_EQ(table.dropped(), 1u);
  table.reclaim(0, 100, [&](std::uint32_t row) { return table[row].name == "a:"; });
  EXPECT_EQ(name_of(table, "c:1"), "(other)");  // where its keys have been counted
  table.reopen();
  EXPECT_EQ(name_of(table, "c:1"), "c:");
  EXPECT_EQ(name_of(table, "b:1"), "b:");
  EXPECT_EQ(table.in_use(), 2u);
}

TEST(Prefixes, the_acl_takes_the_row_of_an_orphan_where_there_is_no_other) {
  PrefixTable table(2, ":", 1);
  name_of(table, "a:1"), name_of(table, "b:1");
  auto release_b = [&] {
    for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row)
      if (table[row].name == "b:") return table.release(row), true;
    return false;
  };
  EXPECT_TRUE(set_acl(table, {{"app1:"}}, release_b));
  EXPECT_EQ(name_of(table, "app1:1"), "app1:");
  EXPECT_EQ(name_of(table, "b:1"), "(other)");
  EXPECT_EQ(table.enter_acl("app2:", Covers::kBelow, release_b).row, 0u);
  EXPECT_EQ(name_of(table, "app2:1"), "(other)");
}

TEST(Prefixes, a_very_long_segment_falls_under_other) {
  PrefixTable table(10, ":", 1);
  EXPECT_EQ(name_of(table, std::string(300, 'x') + ":1"), "(other)");
}

TEST(Prefixes, only_a_change_that_moves_keys_asks_for_a_new_count) {
  PrefixTable table(100, ":", 1);
  EXPECT_FALSE(set_acl(table, {{"app1:"}, {"app2:"}}));
  EXPECT_TRUE(set_acl(table, {{"app1:"}, {"app1:cache:"}}));  // app2: falls back to an orphan, cache: splits app1:
  EXPECT_TRUE(set_acl(table, {{"app1:"}}));
  EXPECT_TRUE(set_acl(table, {{"app1:"}, {"ap"}}));
  EXPECT_TRUE(set_acl(table, {{"app1:"}}));
  EXPECT_FALSE(set_acl(table, {}));
  EXPECT_FALSE(table[table.match(0, "app1:x")].in_acl);
  EXPECT_TRUE(set_acl(table, {{"*:q", Covers::kMatching}}));
  EXPECT_TRUE(set_acl(table, {{"*:q", Covers::kMatching}, {"app1:"}}));  // it may have had keys of app1:
  EXPECT_FALSE(set_acl(table, {{"*:q", Covers::kMatching}, {"app1:"}}));
  EXPECT_TRUE(set_acl(table, {}));
}

}  // namespace
}  // namespace tenants
