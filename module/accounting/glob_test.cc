#include "module/accounting/glob.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <utility>

namespace tenants {
namespace {

using std::operator""sv;

TEST(Glob, elements_match_as_in_KEYS) {
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("app*", "app1"));
  EXPECT_FALSE(matches("app*", "ap"));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_TRUE(matches("[a-c]x", "bx"));
  EXPECT_TRUE(matches("[c-a]x", "bx"));
  EXPECT_FALSE(matches("[^a-c]x", "bx"));
  EXPECT_TRUE(matches("[^a]x", "bx"));
  EXPECT_TRUE(matches("\\*", "*"));
  EXPECT_FALSE(matches("\\*", "x"));
  EXPECT_TRUE(matches("[\\]]", "]"));
  EXPECT_TRUE(matches("*:cache:*", "app:cache:cache:"));
  EXPECT_FALSE(matches("[\\a-c]", "b"));  // a backslash takes part in no range
  EXPECT_TRUE(matches("[\\a-c]", "-"));
  EXPECT_TRUE(matches("[!-\\]", "A"));  // and is a bound as it is
  EXPECT_TRUE(matches("[a-]", "^"));    // from ] to a, not closed
  EXPECT_TRUE(matches("[ab", "b"));
  if (std::numeric_limits<char>::is_signed) {  // as the server of this machine
    EXPECT_TRUE(matches("[a-\xff]", "A"));
    EXPECT_FALSE(matches("[a-\xff]", "b"));
    EXPECT_TRUE(matches("[\x80-\xff]", "\xc3"));
  }
  EXPECT_FALSE(matches("[", "["));
  EXPECT_TRUE(matches("\\", "\\"));
  EXPECT_TRUE(matches("a\0*"sv, "a\0b"sv));
  EXPECT_FALSE(matches("a\0*"sv, "a"sv));
}

TEST(Glob, an_element_is_as_long_as_what_it_matches_says) {
  for (auto [pattern, size] : {std::pair("a*", 1),
                               {"*a", 1},
                               {"?a", 1},
                               {"\\*a", 2},
                               {"\\", 1},
                               {"[ab]c", 4},
                               {"[]]", 2},
                               {"[^]]", 3},
                               {"[a-]]c", 5},
                               {"[_-]*:x", 7},
                               {"[\\]]c", 4},
                               {"[ab", 3}})
    EXPECT_EQ(element_size(pattern), static_cast<std::size_t>(size)) << pattern;
}

// The definition, as slow as it is short.
bool slowly(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') return slowly(pattern.substr(1), text) || (!text.empty() && slowly(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && slowly(pattern.substr(1), text.substr(1));
}

TEST(Glob, stars_and_question_marks_match_as_their_definition_says) {
  std::random_device device;
  unsigned seed = device();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 100'000; ++round) {
    std::string pattern, text;
    for (auto i = random() % 7; i > 0; --i) pattern += "ab*?"[random() % 4];
    for (auto i = random() % 9; i > 0; --i) text += "ab"[random() % 2];
    ASSERT_EQ(matches(pattern, text), slowly(pattern, text)) << pattern << " " << text;
  }
}

TEST(Glob, a_hostile_pattern_ends) {
  std::string pattern, text(500, 'a');
  for (int i = 0; i < 200; ++i) pattern += "a*";
  EXPECT_FALSE(matches(pattern + "b", text));
}

}  // namespace
}  // namespace tenants
