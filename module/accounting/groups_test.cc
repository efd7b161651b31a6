#include "module/accounting/groups.h"

#include <gtest/gtest.h>

namespace tenants {
namespace {

Groups of(std::string_view text) {
  Groups groups;
  EXPECT_EQ(groups.set(text), std::nullopt);
  return groups;
}

TEST(Groups, a_user_belongs_to_the_group_that_names_it_then_to_the_longest_pattern_then_to_its_namesake) {
  Groups groups = of("shop=web,worker-* billing=worker-bill*,~x: web=other  all=w*");
  EXPECT_EQ(groups.size(), 4u);
  EXPECT_EQ(groups.of_user("web"), 0u);
  EXPECT_EQ(groups.of_user("worker-7"), 0u);
  EXPECT_EQ(groups.of_user("worker-"), 0u);
  EXPECT_EQ(groups.of_user("worker-bill7"), 1u);
  EXPECT_EQ(groups.of_user("worker"), 3u);
  EXPECT_EQ(groups.of_user("other"), 2u);
  EXPECT_EQ(groups.of_user("billing"), 1u);
  EXPECT_EQ(groups.of_user("x:"), std::nullopt);
  EXPECT_EQ(groups.find("web"), 2u);
  EXPECT_EQ(groups.find("worker-7"), std::nullopt);
}

TEST(Groups, a_prefix_belongs_to_the_group_that_names_it) {
  Groups groups = of("shop=~cart:,~order:* odd=~%2C%20%2A%25,b");
  EXPECT_EQ(groups.of_prefix("cart:"), 0u);
  EXPECT_EQ(groups.of_prefix("cart:x:"), std::nullopt);
  EXPECT_EQ(groups.of_prefix("order:x:"), 0u);
  EXPECT_EQ(groups.of_prefix(", *%"), 1u);
  EXPECT_EQ(groups.of_prefix("shop"), std::nullopt);
}

TEST(Groups, a_bad_text_is_refused_with_a_reason_and_changes_nothing) {
  Groups groups = of("shop=web");
  for (const char* text : {"shop", "=web", "shop=", "shop=,", "shop=a,,b", "shop=a,", "shop=~", "shop=*", "a=b a=c",
                           "a=b c=b", "a=%2", "a=%zz", "a=b\n", "a=b* c=b*", "%=a"}) {
    std::optional<std::string> wrong = groups.set(text);
    ASSERT_TRUE(wrong) << text;
    EXPECT_FALSE(wrong->empty());
    EXPECT_EQ(groups.of_user("web"), 0u);
    EXPECT_EQ(groups.text(), "shop=web");
  }
  EXPECT_TRUE(groups.set(std::string(65537, ' ')));
  EXPECT_EQ(groups.set(""), std::nullopt);
  EXPECT_EQ(groups.size(), 0u);
}

}  // namespace
}  // namespace tenants
