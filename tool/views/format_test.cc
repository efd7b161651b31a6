#include "tool/views/format.h"

#include <gtest/gtest.h>

#include "tool/views/text_table.h"

namespace tenants::tool {
namespace {

TEST(Format, numbers_have_at_most_six_characters) {
  for (Unit unit : {Unit::kCount, Unit::kBytes, Unit::kUsec, Unit::kMsec})
    for (std::uint64_t value = 1; value < 8'000'000'000'000; value = value * 3 + 1)  // 250 years in ms
      EXPECT_LE(human(unit, value).size(), 6u) << value << " " << human(unit, value);
}

TEST(Format, numbers_read_as_people_write_them) {
  EXPECT_EQ(human(Unit::kCount, 9999), "9999");
  EXPECT_EQ(human(Unit::kCount, 10000), "10.0k");
  EXPECT_EQ(human(Unit::kCount, 999999), "1.00M");
  EXPECT_EQ(human(Unit::kBytes, 1536 * 1024), "1.50M");
  EXPECT_EQ(human(Unit::kUsec, 2'500'000), "2.50s");
  EXPECT_EQ(human(Unit::kUsec, 200'000'000), "3m20s");
  EXPECT_EQ(human(Unit::kShare, 950), "95%");
  EXPECT_EQ(human(Unit::kShare, 999), ">99%");
  EXPECT_EQ(human(Unit::kCount, kAbsent), "-");
  EXPECT_EQ(raw(Unit::kShare, 950), "0.950");
  EXPECT_EQ(human_error(1000, 15), "1.5%");
  EXPECT_EQ(human_error(1000, kAbsent), "?");
  EXPECT_EQ(human_error(kAbsent, kAbsent), "-");
  EXPECT_EQ(human_rate(Unit::kCount, 0.01), "<0.1");
}

TEST(Format, a_change_has_its_sign) {
  EXPECT_EQ(human_change(Unit::kBytes, 1536 * 1024, false), "+1.50M");
  EXPECT_EQ(human_change(Unit::kCount, -20, false), "-20");
  EXPECT_EQ(human_change(Unit::kBytes, 0, false), "0");
  EXPECT_EQ(human_change(Unit::kBytes, -1048576, true), "-1048576");
}

TEST(TextTable, no_line_is_wider_than_asked_and_names_are_cut_before_columns_go) {
  TextTable table{{"NAME", "±", "SECOND"}, {{"a-rather-long-name-of-a-tenant", "1%", "222222"}, {"b", "2%", "1"}}};
  EXPECT_EQ(table.text(0).substr(0, table.text(0).find('\n')), "NAME                             ±  SECOND");
  std::string narrow = table.text(30);
  EXPECT_NE(narrow.find("a-rather-long-nam+"), std::string::npos) << narrow;
  EXPECT_NE(narrow.find("SECOND"), std::string::npos);
  EXPECT_EQ(table.text(20).find("SECOND"), std::string::npos) << table.text(20);
}

}  // namespace
}  // namespace tenants::tool
