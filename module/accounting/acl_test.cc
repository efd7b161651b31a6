#include "module/accounting/acl.h"

#include <gtest/gtest.h>

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

UserKeys user(std::uint32_t row, std::string name, std::string_view keys, bool enabled = true) {
  return {row, std::move(name), enabled, heads_of_keys(keys)};
}

TEST(Acl, the_writer_with_fewest_prefixes_owns) {
  auto heads = heads_with_owner(
      {user(2, "admin", "~app1:* ~app2:*"), user(3, "app1", "~app1:*"), user(4, "reader", "%R~app2:*")});
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[0].owner, 3u);
  EXPECT_EQ(heads[1].owner, 2u);
}

TEST(Acl, a_head_knows_how_many_users_have_it) {
  auto heads = heads_with_owner(
      {user(2, "a", "~x:*"), user(3, "b", "~x:* ~x:?"), user(4, "c", "%R~x:*"), user(5, "d", "~x:y:*")});
  ASSERT_EQ(heads.size(), 2u);
  EXPECT_EQ(heads[0].users, 3u);
  EXPECT_EQ(heads[1].users, 1u);
}

TEST(Acl, an_enabled_user_comes_before_a_disabled_one) {
  auto heads = heads_with_owner({user(2, "a", "~x:*", false), user(3, "b", "~x:*")});
  ASSERT_EQ(heads.size(), 1u);
  EXPECT_EQ(heads[0].owner, 3u);
}

TEST(Acl, all_keys_and_readers_own_nothing) {
  EXPECT_TRUE(heads_with_owner({user(2, "a", "~*"), user(3, "b", "%R~x:*")}).empty());
}

}  // namespace
}  // namespace tenants
