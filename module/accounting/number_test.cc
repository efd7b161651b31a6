#include "module/accounting/number.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace tenants {
namespace {

TEST(Number, is_the_whole_text_and_fits) {
  EXPECT_EQ(number_in<std::uint64_t>("18446744073709551615"), ~std::uint64_t{0});
  EXPECT_EQ(number_in<long long>("-7"), -7);
  EXPECT_EQ(number_in<double>("0.25"), 0.25);
  for (const char* text : {"", " 1", "1 ", "1x", "+1", "-", "18446744073709551616", "0x1", "1.0"})
    EXPECT_FALSE(number_in<std::uint64_t>(text)) << text;
  EXPECT_FALSE(number_in<std::uint64_t>("-1"));
}

}  // namespace
}  // namespace tenants
