#include "tool/fleet/columns.h"

#include <gtest/gtest.h>

#include "module/publish/columns.h"

namespace tenants::tool {
namespace {

void expect_same(std::span<const Column> ours, std::span<const tenants::Column> the_modules) {
  ASSERT_EQ(ours.size(), the_modules.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_STREQ(ours[i].name, the_modules[i].name);
    EXPECT_EQ(ours[i].kind == Column::kCounter, the_modules[i].kind == tenants::Column::kCounter) << ours[i].name;
    EXPECT_EQ(ours[i].kind == Column::kShare, the_modules[i].kind == tenants::Column::kThousandths) << ours[i].name;
  }
}

TEST(Columns, the_tool_knows_every_column_of_the_module_in_its_order) {
  expect_same(columns(Table::kTenants), tenants::kTenantColumns);
  expect_same(columns(Table::kUsers), tenants::kUserColumns);
  expect_same(columns(Table::kPrefixes), tenants::kPrefixColumns);
}

TEST(Columns, the_numbers_of_the_columns_are_their_places) {
  EXPECT_EQ(find_column(Table::kTenants, "bytes_error"), tenant_column::kBytesError);
  EXPECT_EQ(find_column(Table::kUsers, "bytes_out"), user_column::kBytesOut);
  EXPECT_EQ(find_column(Table::kPrefixes, "avg_ttl_msec"), prefix_column::kAvgTtl);
  EXPECT_EQ(find_column(Table::kPrefixes, "commands"), std::nullopt);
}

}  // namespace
}  // namespace tenants::tool
