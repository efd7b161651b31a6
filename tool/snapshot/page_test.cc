#include "tool/snapshot/page.h"

#include <gtest/gtest.h>

#include "tool/client/failure.h"

namespace tenants::tool {
namespace {

using Rows = std::vector<Row>;

TEST(Page, reads_each_column_by_its_name_in_whatever_order_they_come) {
  Rows rows = read_page(Table::kPrefixes, "keys,kind,future,coverage,name,owner\n7,prefix,x,0.950,app:,shop\n");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].name, "app:");
  EXPECT_EQ(rows[0].owner, "shop");
  EXPECT_EQ(rows[0].kind, Kind::kPrefix);
  EXPECT_EQ(rows[0].values[prefix_column::kKeys], 7u);
  EXPECT_EQ(rows[0].values[prefix_column::kCoverage], 950u);
}

TEST(Page, tells_of_other_columns_row_by_row) {
  std::string told;
  auto note = [&](const Rows& rows, std::string_view column, std::string_view field) {
    told.append(rows.back().name).append(" ").append(column).append(" ").append(field).append(";");
  };
  read_page(Table::kTenants, "name,kind,keys,keys_change,more\na,tenant,7,-3,\nb,tenant,1,,x\n", note);
  EXPECT_EQ(told, "a keys_change -3;a more ;b keys_change ;b more x;");
}

TEST(Page, what_is_empty_is_not_known_and_0_is_0) {
  Rows rows = read_page(Table::kPrefixes, "name,kind,keys,bytes\na,prefix,0,\n");
  EXPECT_EQ(rows[0].values[prefix_column::kKeys], 0u);
  EXPECT_EQ(rows[0].values[prefix_column::kBytes], kAbsent);
  EXPECT_EQ(rows[0].values[prefix_column::kHits], kAbsent);
}

TEST(Page, names_are_the_bytes_they_are) {
  Rows rows = read_page(Table::kUsers, "name,kind,tenant\n\"a,\"\"b\"\"\n\r\",user,\"\"\"\"\n\"\",user,\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].name, "a,\"b\"\n\r");
  EXPECT_EQ(rows[0].owner, "\"");
  EXPECT_EQ(rows[1].name, "");
}

TEST(Page, the_module_s_own_rows_have_the_names_that_nobody_else_can_have) {
  EXPECT_EQ(read_page(Table::kTenants, "name,kind\nforged,other\n")[0].name, "(other)");
}

TEST(Page, has_no_rows_where_there_is_but_the_header) { EXPECT_TRUE(read_page(Table::kUsers, "name,kind\n").empty()); }

TEST(Page, what_is_cut_off_or_has_too_few_or_too_many_fields_is_refused) {
  for (const char* text : {"", "name", "name,kind", "name,kind\na", "name,kind\na,user", "name,kind\na\n",
                           "name,kind\na,user,1\n", "name,kind\n\"a,user\n", "name,kind\n\"a\"b,user\n"})
    EXPECT_THROW(read_page(Table::kUsers, text), Failure) << text;
}

}  // namespace
}  // namespace tenants::tool
