#include "module/accounting/named_prefixes.h"

#include <gtest/gtest.h>

namespace tenants {
namespace {

TEST(NamedPrefixes, are_words_with_or_without_a_star) {
  NamedPrefixes prefixes;
  EXPECT_FALSE(prefixes.set("  user:session:*  user:profile: a%20b%2A %7Ex? "));
  EXPECT_EQ(prefixes.names(), (std::vector<std::string>{"a b*", "user:profile:", "user:session:", "~x?"}));
  EXPECT_TRUE(prefixes.contains("user:session:"));
  EXPECT_FALSE(prefixes.contains("user:"));
  EXPECT_FALSE(prefixes.set(""));
  EXPECT_TRUE(prefixes.names().empty());
}

TEST(NamedPrefixes, say_what_is_wrong_and_stay_as_they_were) {
  NamedPrefixes prefixes;
  EXPECT_FALSE(prefixes.set("a: b:"));
  std::string many;
  for (std::size_t i = 0; i <= NamedPrefixes::kMost; ++i) many += "p" + std::to_string(i) + ": ";
  for (const std::string& text :
       {std::string("~a:*"), std::string("a:*:b"), std::string("*"), std::string("a:**"), std::string("a: a:*"),
        std::string("a%2"), std::string("a\n"), std::string(257, 'x'), std::string(70'000, ' '), many})
    EXPECT_TRUE(prefixes.set(text)) << text.substr(0, 20);
  EXPECT_EQ(prefixes.text(), "a: b:");
  EXPECT_EQ(prefixes.names().size(), 2u);
}

}  // namespace
}  // namespace tenants
