#include "tool/views/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace tenants::tool {
namespace {

TEST(Suggest, the_word_that_was_meant_is_near_the_one_that_was_typed) {
  std::vector<std::string> words{"list", "show", "check", "top", "memory", "--sort", "shop"};
  EXPECT_EQ(nearest("lst", words), "list");
  EXPECT_EQ(nearest("lits", words), "list");
  EXPECT_EQ(nearest("--srt", words), "--sort");
  EXPECT_EQ(nearest("MEMRY", words), "memory");
  EXPECT_EQ(nearest("shopp", words), "shop");
  EXPECT_EQ(nearest("exporter", words), std::nullopt);
  EXPECT_EQ(nearest("x", words), std::nullopt);
  EXPECT_EQ(nearest("", words), std::nullopt);
  EXPECT_EQ(nearest(std::string(1000, 'x'), words), std::nullopt);
}

TEST(Suggest, one_is_suggested_in_words_that_end_a_message) {
  std::vector<std::string> words{"app1", "app2"};
  EXPECT_EQ(did_you_mean("app3", words), ", did you mean app1?");
  EXPECT_EQ(did_you_mean("elephant", words), "");
}

}  // namespace
}  // namespace tenants::tool
