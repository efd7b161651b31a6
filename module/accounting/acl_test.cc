#include "module/accounting/acl.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "module/accounting/glob.h"

namespace tenants {
namespace {

TEST(Acl, the_head_of_a_glob_is_what_stands_before_its_first_wildcard) {
  for (auto [glob, head] : {std::pair("app1:*", "app1:"),
                            {"app?:*", "app"},
                            {"app[12]:*", "app"},
                            {"*", ""},
                            {"{app1}:*", "{app1}:"},
                            {"a\\*b:*", "a*b:"},
                            {"counter", "counter"},
                            {"a\\", "a\\"}}) {
    EXPECT_EQ(head_of_glob(glob), head);
  }
}

TEST(Acl, a_pattern_is_named_by_its_head_by_its_key_or_as_it_is) {
  auto expect = [](std::string_view glob, std::string_view name, Covers covers) {
    KeyPattern pattern = pattern_of_glob(glob);
    EXPECT_EQ(pattern.name, name) << glob;
    EXPECT_EQ(pattern.covers, covers) << glob;
  };
  expect("app1:*", "app1:", Covers::kBelow);
  expect("a\\*b:***", "a*b:", Covers::kBelow);
  expect("*", "", Covers::kBelow);
  expect("leader", "leader", Covers::kOne);
  expect("a\\*", "a*", Covers::kOne);
  expect("", "", Covers::kOne);
  expect("t:*:cache:***", "t:*:cache:*", Covers::kMatching);
  expect("app[12]:*", "app[12]:*", Covers::kMatching);
  expect("*x", "*x", Covers::kMatching);
  expect("?*", "?*", Covers::kMatching);
  expect("?\\**", "?\\**", Covers::kMatching);
  expect("?\\***", "?\\**", Covers::kMatching);
  expect("?\\*", "?\\*", Covers::kMatching);
}

TEST(Acl, a_pattern_that_holds_in_some_databases_is_named_by_them) {
  auto expect = [](std::string_view rule, const char* keys, std::string_view name, const std::vector<int>& databases) {
    std::vector<KeyPattern> patterns = patterns_of_keys(keys);
    ASSERT_EQ(patterns.size(), 1u);
    EXPECT_EQ(databases_of_rule(rule), databases) << rule;
    limit_to_databases(patterns[0], databases);
    EXPECT_EQ(patterns[0].name, name);
    EXPECT_EQ(patterns[0].covers, Covers::kMatching);
    EXPECT_EQ(patterns[0].database, databases[0]);
    Limits limits = limits_of_name(patterns[0].name);
    std::vector<int> named;
    for_each_database(limits.databases, [&](int db) { named.push_back(db); });
    EXPECT_EQ(named, databases) << name;
    EXPECT_EQ(limits.glob, std::string_view(keys).substr(std::string_view(keys).find('~') + 1));
  };
  expect("db=3", "~app1:*", "db=3 ~app1:*", {3});
  expect("db=7,0,2,1", "%W~*", "db=0-2,7 ~*", {0, 1, 2, 7});
  expect("db=1", "~", "db=1 ~", {1});
  expect("db=0,1,0", "~leader", "db=0-1 ~leader", {0, 1});
  expect("db=2147483647", "~a\\*b", "db=2147483647 ~a\\*b", {2147483647});
  EXPECT_TRUE(databases_of_rule("alldbs").empty());
  EXPECT_TRUE(databases_of_rule("").empty());
  EXPECT_TRUE(databases_of_rule("db=").empty());
  for (const char* name : {"t:*", "db=*", "db=3", "~db=3 "}) EXPECT_EQ(limits_of_name(name).glob, name);
}

TEST(Acl, patterns_are_read_with_their_access) {
  auto patterns = patterns_of_keys("~a:* %R~b:* %W~c:* %RW~d:*");
  ASSERT_EQ(patterns.size(), 4u);
  EXPECT_TRUE(patterns[0].writes);
  EXPECT_FALSE(patterns[1].writes);
  EXPECT_TRUE(patterns[2].writes);
  EXPECT_TRUE(patterns[3].writes);
  EXPECT_EQ(patterns[1].name, "b:");
  EXPECT_TRUE(patterns_of_keys("").empty());
}

TEST(Acl, a_key_of_a_glob_is_one_that_it_matches) {
  for (const char* glob : {"app1:*", "app?:*", "a[12]b", "a[^a]b", "a[^a-y]", "a\\*b:*", "*", "", "[a", "a[\\]]b",
                           "x\\", "[z-a]*", "**?*", "[a-z_-]*:x:*", "[\\]]", "[^]:*", "[a-\xff]", "[*"})
    for (int variant = 0; variant < kVariants; ++variant) {
      std::optional<std::string> key = key_of_glob(glob, variant);
      ASSERT_TRUE(key) << glob;
      EXPECT_TRUE(matches(glob, *key)) << glob << " and " << *key;
    }
  EXPECT_EQ(key_of_glob("t:*:cache:*"), "t::cache:");
  EXPECT_EQ(key_of_glob("a\\*b"), "a*b");
}

TEST(Acl, keys_of_a_glob_differ) {
  std::set<std::string> keys;
  for (int variant = 0; variant < kVariants; ++variant) keys.insert(key_of_glob("[a-c]:*", variant).value_or(""));
  EXPECT_EQ(keys.size(), static_cast<std::size_t>(kVariants));
  EXPECT_NE(key_of_glob("*"), "");  // the server's star matches no empty key
}

TEST(Acl, who_has_a_pattern_that_no_key_matches_may_do_nothing_by_it) {
  for (const char* glob : {"[]:*", "a[]", "[", "[]-a]b"}) {
    EXPECT_FALSE(key_of_glob(glob)) << glob;
    auto patterns = patterns_of_keys(std::string("~") + glob);
    EXPECT_FALSE(patterns.at(0).writes || patterns.at(0).reads) << glob;
  }
}

}  // namespace
}  // namespace tenants
