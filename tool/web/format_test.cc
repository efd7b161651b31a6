#include "tool/web/format.h"

#include <gtest/gtest.h>

#include "tool/web/view.h"

namespace tenants::tool::web {
namespace {

TEST(Format, counts_have_commas_and_a_digit_after_the_point_only_where_it_tells_something) {
  EXPECT_EQ(count(0), "0");
  EXPECT_EQ(count(0.25), "0.2");
  EXPECT_EQ(count(3), "3");
  EXPECT_EQ(count(9.96), "10");
  EXPECT_EQ(count(999), "999");
  EXPECT_EQ(count(1000), "1,000");
  EXPECT_EQ(count(-1234567), "-1,234,567");
  EXPECT_EQ(count(123456), "123,456");
}

TEST(Format, bytes_have_three_digits_and_a_unit) {
  EXPECT_EQ(bytes(0), "0 B");
  EXPECT_EQ(bytes(1023), "1023 B");
  EXPECT_EQ(bytes(1024), "1.00 KiB");
  EXPECT_EQ(bytes(1536 * 1024), "1.50 MiB");
  EXPECT_EQ(bytes(10.0 * (1 << 30)), "10.0 GiB");
  EXPECT_EQ(bytes(100.0 * (1 << 30)), "100 GiB");
}

TEST(Format, durations_have_two_units) {
  EXPECT_EQ(duration(41), "41 s");
  EXPECT_EQ(duration(3599), "59 min");
  EXPECT_EQ(duration(7260), "2 h 1 min");
  EXPECT_EQ(duration(90000), "1 d 1 h");
}

TEST(Format, no_text_breaks_out_of_html) {
  EXPECT_EQ(html("<a href=\"x\" onclick='y'>&"), "&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;");
}

TEST(Readable, names_are_one_to_one_and_printable) {
  EXPECT_EQ(readable("app1:", false), "app1:");
  EXPECT_EQ(readable("a%b", false), "a%25b");
  EXPECT_EQ(readable(std::string("\0\x1b\xff", 3), false), "%00%1B%FF");
  EXPECT_EQ(readable("(other)", false), "%28other)") << "no user passes for the module's own row";
  EXPECT_EQ(readable("(other)", true), "(other)");
  EXPECT_EQ(readable(" a b ", false), "%20a b%20");
}

}  // namespace
}  // namespace tenants::tool::web
