#include "module/accounting/escape.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tenants {
namespace {

TEST(Escape, plain_names_stay_as_they_are) { EXPECT_EQ(escape("app-1_x.{y}@z/"), "app-1_x.{y}@z/"); }

TEST(Escape, what_would_break_a_line_is_written_in_hex) {
  EXPECT_EQ(escape("a:b=c,d#e\r\n"), "a%3Ab%3Dc%2Cd%23e%0D%0A");
  EXPECT_EQ(escape(std::string("\0\xff", 2)), "%00%FF");
}

TEST(Escape, no_real_name_looks_like_a_row_of_the_module) { EXPECT_EQ(escape("(other)"), "%28other)"); }

#ifdef NDEBUG
constexpr int kRounds = 10'000'000;
#else
constexpr int kRounds = 100'000;
#endif

// Half of the bytes are those that mean something in a line of INFO, or in the escape itself.
std::string random_bytes(std::mt19937_64& random) {
  constexpr std::string_view kMeaning = "%:=,#( \"\\\r\n\0AF3a";
  std::uint64_t bits = random();
  std::string bytes(bits % 13, '\0');
  for (char& byte : bytes) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    auto chosen = static_cast<unsigned char>(bits >> 40);
    byte = bits >> 63 ? kMeaning[chosen % kMeaning.size()] : static_cast<char>(chosen);
  }
  return bytes;
}

TEST(Escape, random_names_come_back_and_forge_nothing) {
  unsigned seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (int round = 0; round < kRounds; ++round) {
    std::string name = random_bytes(random), text = escape(name);
    ASSERT_EQ(unescape(text), name) << "seed " << seed;
    bool harmless = std::ranges::all_of(
        text, [](char c) { return c > ' ' && c <= '~' && std::string_view(":=,#\"\\(").find(c) == std::string::npos; });
    ASSERT_TRUE(harmless) << text << " seed " << seed;
  }
}

TEST(Escape, a_name_has_one_text_only) {
  unsigned seed = std::random_device{}();
  std::mt19937_64 random(seed);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string text;
    for (std::uint64_t bits = random(), left = bits % 8; left; --left, bits >>= 4) text += "%%%0234AFafz:( "[bits % 15];
    std::optional<std::string> name = unescape(text);
    if (!name) continue;
    ++accepted;
    ASSERT_EQ(escape(*name), text) << "seed " << seed;
  }
  EXPECT_GT(accepted, kRounds / 20);
}

TEST(Escape, text_that_escape_never_writes_is_refused) {
  for (const char* text : {"%", "%4", "%41", "%3a", "a b", "a:b", "%GG", "("})
    EXPECT_EQ(unescape(text), std::nullopt) << text;
}

}  // namespace
}  // namespace tenants
