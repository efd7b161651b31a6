#include "module/accounting/acl.h"

#include <gtest/gtest.h>

#include "module/accounting/glob.h"

namespace tenants {
namespace {

TEST(Acl, the_head_of_a_glob_is_what_stands_before_its_first_wildcard) {
  EXPECT_EQ(head_of_glob("app1:*").head, "app1:");
  EXPECT_EQ(head_of_glob("app?:*").head, "app");
  EXPECT_EQ(head_of_glob("app[12]:*").head, "app");
  EXPECT_EQ(head_of_glob("*").head, "");
  EXPECT_EQ(head_of_glob("{app1}:*").head, "{app1}:");
  EXPECT_EQ(head_of_glob("a\\*b:*").head, "a*b:");
  EXPECT_TRUE(head_of_glob("counter").exact);
  EXPECT_FALSE(head_of_glob("counter*").exact);
}

TEST(Acl, patterns_are_read_with_their_access) {
  auto heads = heads_of_keys("~a:* %R~b:* %W~c:* %RW~d:*");
  ASSERT_EQ(heads.size(), 4u);
  EXPECT_TRUE(heads[0].writes);
  EXPECT_FALSE(heads[1].writes);
  EXPECT_TRUE(heads[2].writes);
  EXPECT_TRUE(heads[3].writes);
  EXPECT_EQ(heads[1].head, "b:");
  EXPECT_TRUE(heads_of_keys("").empty());
}

TEST(Acl, a_key_of_a_glob_is_one_that_it_matches) {
  for (const char* glob : {"app1:*", "app?:*", "a[12]b", "a[^a]b", "a[^a-y]", "a\\*b:*", "*", "", "[a", "a[\\]]b",
                           "x\\", "[z-a]*", "**?*"})
    EXPECT_TRUE(matches(glob, key_of_glob(glob))) << glob << " and " << key_of_glob(glob);
  EXPECT_EQ(key_of_glob("t:*:cache:*"), "t::cache:");
  EXPECT_EQ(key_of_glob("a\\*b"), "a*b");
}

TEST(Acl, commands_that_rules_allow_by_their_names) {
  EXPECT_EQ(commands_by_name("-@all +@read +lpop -set +config|get"), (std::vector<std::string>{"lpop", "config|get"}));
  EXPECT_TRUE(commands_by_name("+@all").empty());
}

}  // namespace
}  // namespace tenants
