#include "module/accounting/escape.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace tenants {
namespace {

TEST(Escape, plain_names_stay_as_they_are) { EXPECT_EQ(escape("app-1_x.{y}@z/"), "app-1_x.{y}@z/"); }

TEST(Escape, what_would_break_a_line_is_written_in_hex) {
  EXPECT_EQ(escape("a:b=c,d#e\r\n"), "a%3Ab%3Dc%2Cd%23e%0D%0A");
  EXPECT_EQ(escape(std::string("\0\xff", 2)), "%00%FF");
}

TEST(Escape, no_real_name_looks_like_a_row_of_the_module) { EXPECT_EQ(escape("(other)"), "%28other)"); }

TEST(Escape, random_names_come_back_and_no_two_meet) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  for (int round = 0; round < 100'000; ++round) {
    std::string name(random() % 12, '\0');
    for (char& byte : name) byte = static_cast<char>(random() % 4 ? "%:=,#(a\n"[random() % 8] : random());
    ASSERT_EQ(unescape(escape(name)), name) << "seed " << seed;
  }
}

TEST(Escape, text_that_escape_never_writes_is_refused) {
  for (const char* text : {"%", "%4", "%41", "%3a", "a b", "a:b", "%GG", "("})
    EXPECT_EQ(unescape(text), std::nullopt) << text;
}

}  // namespace
}  // namespace tenants
