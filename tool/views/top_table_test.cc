#include "tool/views/top_table.h"

#include <gtest/gtest.h>

namespace tenants::tool {
namespace {

Snapshot one_node(std::uint64_t commands, std::uint64_t cpu_usec, int seconds) {
  Node node{.address = "db1:6379", .id = "db1:6379"};
  node.up = node.data_source = true;
  node.role = Role::kPrimary;
  node.at = std::chrono::steady_clock::time_point(std::chrono::seconds(seconds));
  for (const char* name : {"app1", "app2\x1b[31m"}) {
    Row row{.name = name, .owner = ""};
    for (std::size_t i = 0; i < columns(Table::kTenants).size(); ++i) row.values[i] = 0;
    row.values[tenant_column::kCommands] = commands;
    row.values[tenant_column::kCpuUsec] = cpu_usec;
    node.rows(Table::kTenants).push_back(row);
  }
  Snapshot snapshot;
  snapshot.nodes.push_back(node);
  return snapshot;
}

TEST(TopTable, rates_are_per_second_between_two_readings_and_unknown_with_one) {
  Snapshot before = one_node(100, 0, 0), now = one_node(120, 1'000'000, 2);
  TopFrame frame = top_frame(&before, now, {});
  EXPECT_EQ(frame.table.rows[1][1], "50.0");  // CPU%
  EXPECT_EQ(frame.table.rows[1][2], "|||   ");
  EXPECT_EQ(frame.table.rows[1][7], "10.0");  // CMD/S
  EXPECT_EQ(frame.table.rows[0][7], "20.0");
  EXPECT_EQ(top_frame(nullptr, now, {}).table.rows[1][7], "-");
}

TEST(TopTable, a_hostile_name_is_shown_escaped) {
  Snapshot now = one_node(1, 1, 1);
  std::string text = top_frame(nullptr, now, {}).table.text(80);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("app2%1B[31m"), std::string::npos);
}

TEST(TopTable, a_filter_is_a_part_of_the_name_or_a_pattern) {
  Snapshot now = one_node(1, 1, 1);
  auto count = [&](const char* filter) { return top_frame(nullptr, now, {.filter = filter}).table.rows.size() - 1; };
  EXPECT_EQ(count("app"), 2u);
  EXPECT_EQ(count("p1"), 1u);
  EXPECT_EQ(count("%1B"), 1u);
  EXPECT_EQ(count("app?"), 1u);
  EXPECT_EQ(count("x"), 0u);
}

TEST(TopTable, every_column_but_the_bars_can_be_sorted_by) {
  for (Table table : {Table::kTenants, Table::kUsers, Table::kPrefixes}) {
    std::size_t sort = 0;
    do {
      EXPECT_NE(top_columns(table)[sort].show, TopColumn::kShare);
      EXPECT_EQ(find_top_column(table, top_columns(table)[sort].header), sort);
      sort = next_sort(table, sort, 1);
    } while (sort != 0);
  }
}

}  // namespace
}  // namespace tenants::tool
