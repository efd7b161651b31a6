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

Row& row_of(Snapshot& snapshot, std::size_t number) { return snapshot.nodes[0].rows(Table::kTenants)[number]; }

std::size_t column(std::string_view name) { return *find_top_column(Table::kTenants, name); }

std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> all;
  for (std::size_t from = 0; (from = line.find_first_not_of(' ', from)) != std::string::npos;) {
    std::size_t end = std::min(line.find(' ', from), line.size());
    all.push_back(line.substr(from, end - from));
    from = end;
  }
  return all;
}

// As a screen of so many columns shows it: the heading, the total, the rows.
std::vector<std::string> shown(const TopRows& rows, const TopOptions& options, std::size_t width) {
  TopLayout layout = top_layout(options, width, 12, true);
  std::vector<std::uint32_t> order = top_order(rows, options);
  std::vector<std::string> lines{top_heading(layout, options),
                                 top_line(layout, options.table, top_total(rows, order), NAN)};
  for (std::uint32_t i : order)
    lines.push_back(top_line(layout, options.table, rows.rows[i], top_whole(rows, options.sort)));
  return lines;
}

TEST(TopTable, rates_are_per_second_between_two_readings_and_unknown_with_one) {
  Snapshot before = one_node(100, 0, 0), now = one_node(120, 1'000'000, 2);
  TopRows rows = top_rows(Table::kTenants, {now, &before});
  EXPECT_DOUBLE_EQ(rows.rows[0].cells[column("CPU%")].value(), 50);
  EXPECT_DOUBLE_EQ(rows.rows[0].cells[column("CMD/S")].value(), 10);
  std::vector<std::string> lines = shown(rows, {}, 80);
  EXPECT_TRUE(lines[2].starts_with("app1          50.0 |||    ")) << lines[2];
  EXPECT_EQ(words(lines[1])[1], "100");
  rows = top_rows(Table::kTenants, {now});
  EXPECT_TRUE(std::isnan(rows.rows[0].cells[column("CMD/S")].value()));
  EXPECT_EQ(words(shown(rows, {}, 80)[2])[1], "-");
}

TEST(TopTable, the_first_reading_has_the_rates_that_the_server_remembers) {
  Snapshot now = one_node(100, 0, 0), before = one_node(50, 0, -1);
  Recent recent;
  recent.now.push_back({.node = "db1:6379", .seconds = 10, .complete = true});
  recent.five_minutes.push_back({.node = "db1:6379", .seconds = 300});
  Row row = row_of(now, 0);
  row.values[tenant_column::kCommands] = 200;
  row.values[tenant_column::kBytesIn] = row.values[tenant_column::kBytesOut] = 1000;
  for (Window* window : {&recent.now[0], &recent.five_minutes[0]}) {
    window->rows.push_back(row);
    window->places["app1"] = 0;
    window->changes.push_back({0, -4096});
  }
  auto value = [&](const Snapshot* then, std::size_t number, std::string_view name) {
    return top_rows(Table::kTenants, {now, then, &recent}).rows[number].cells[column(name)].value();
  };
  EXPECT_DOUBLE_EQ(value(nullptr, 0, "CMD/S"), 20);
  EXPECT_DOUBLE_EQ(value(&before, 0, "CMD/S"), 50) << "then, of the time between two readings";
  EXPECT_DOUBLE_EQ(value(&before, 0, "IN+OUT/S"), 200) << "bytes always";
  EXPECT_DOUBLE_EQ(value(nullptr, 0, "ΔMEM"), -4096);
  EXPECT_DOUBLE_EQ(value(nullptr, 1, "CMD/S"), 0) << "did nothing";
  EXPECT_TRUE(std::isnan(value(nullptr, 1, "ΔMEM"))) << "was not named";
  recent.now[0].complete = false;
  EXPECT_TRUE(std::isnan(value(nullptr, 1, "CMD/S")));
}

TEST(TopTable, a_tenants_hit_ratio_is_that_of_its_prefixes_together) {
  Snapshot prefixes = one_node(0, 0, 0), now = prefixes;
  for (auto [hits, misses] : {std::pair<std::uint64_t, std::uint64_t>{90, 10}, {0, 100}}) {
    Row row{.name = "p", .kind = Kind::kPrefix, .owner = "app1"};
    row.values[prefix_column::kHits] = hits, row.values[prefix_column::kMisses] = misses;
    prefixes.nodes[0].rows(Table::kPrefixes).push_back(row);
  }
  Lookups lookups = lookups_of(prefixes);
  TopRows rows = top_rows(Table::kTenants, {now, nullptr, nullptr, &lookups});
  EXPECT_DOUBLE_EQ(rows.rows[0].cells[column("HIT%")].value(), 0.45);
  EXPECT_TRUE(std::isnan(rows.rows[1].cells[column("HIT%")].value()));
  EXPECT_DOUBLE_EQ(top_total(rows, {0, 1}).cells[column("HIT%")].value(), 0.45);
}

TEST(TopTable, a_hostile_name_is_shown_escaped) {
  Snapshot now = one_node(1, 1, 1);
  TopRows rows = top_rows(Table::kTenants, {now});
  EXPECT_EQ(rows.rows[1].title, "app2%1B[31m");
}

TEST(TopTable, a_filter_is_a_part_of_the_name_or_a_pattern) {
  Snapshot now = one_node(1, 1, 1);
  TopRows rows = top_rows(Table::kTenants, {now});
  auto count = [&](const char* filter) { return top_order(rows, {.filter = filter}).size(); };
  EXPECT_EQ(count("app"), 2u);
  EXPECT_EQ(count("p1"), 1u);
  EXPECT_EQ(count("%1B"), 1u);
  EXPECT_EQ(count("app?"), 1u);
  EXPECT_EQ(count("x"), 0u);
}

TEST(TopTable, the_largest_come_first_and_the_modules_own_rows_last) {
  Snapshot now = one_node(1, 1, 1);
  row_of(now, 0).values[tenant_column::kBytes] = 5;
  row_of(now, 1).values[tenant_column::kBytes] = kAbsent;
  Row own{.name = "(overhead)", .kind = Kind::kOverhead, .values = row_of(now, 0).values};
  own.values[tenant_column::kBytes] = 1000;
  now.nodes[0].rows(Table::kTenants).push_back(own);
  TopRows rows = top_rows(Table::kTenants, {now});
  for (bool reverse : {false, true}) {
    std::vector<std::uint32_t> order = top_order(rows, {.sort = column("MEMORY"), .reverse = reverse, .filter = ""});
    EXPECT_EQ(order, std::vector<std::uint32_t>({0, 1, 2})) << "what is not known comes after what is";
  }
}

TEST(TopTable, what_does_not_fit_is_left_out_from_the_end_but_never_what_is_sorted_by) {
  for (Table table : {Table::kTenants, Table::kUsers, Table::kPrefixes})
    for (std::size_t sort = 0; sort < top_columns(table).size(); ++sort)
      for (std::size_t width : {30, 50, 80, 100, 200}) {
        TopOptions options{.table = table, .sort = sort, .filter = ""};
        TopLayout layout = top_layout(options, width, 40, true);
        EXPECT_TRUE(layout.shows(sort));
        std::string heading = top_heading(layout, options);
        EXPECT_NE(heading.find(top_columns(table)[sort].header + std::string("*")), std::string::npos) << heading;
        std::size_t length =
            heading.size() - (heading.find("Δ") != std::string::npos) - (heading.find("±") != std::string::npos);
        EXPECT_LE(length, width) << heading;
        for (std::size_t i = 1; i < layout.columns.size(); ++i)
          EXPECT_TRUE(layout.columns[i] == i || layout.columns[i] == sort) << heading;
      }
}

TEST(TopTable, eighty_columns_have_what_matters_most) {
  std::string heading = top_heading(top_layout({}, 80, 12, true), {});
  EXPECT_EQ(words(heading), std::vector<std::string>({"TENANT", "CPU%*", "MEMORY", "ΔMEM", "KEYS", "CONNS", "CMD/S",
                                                      "IN+OUT/S", "HIT%", "ERR/S"}));
}

TEST(TopTable, every_column_has_a_name_and_some_a_key_of_their_own) {
  for (Table table : {Table::kTenants, Table::kUsers, Table::kPrefixes}) {
    std::string keys = "qrRQh";
    for (std::size_t i = 0; i < top_columns(table).size(); ++i) {
      const TopColumn& one = top_columns(table)[i];
      EXPECT_EQ(find_top_column(table, one.header), i);
      if (!one.key) continue;
      EXPECT_EQ(find_top_column(table, std::string(1, one.key)), i);
      EXPECT_EQ(keys.find(one.key), std::string::npos);
      keys += one.key;
    }
    EXPECT_LE(top_help(table).size(), 23u) << "fits a screen of 24 lines";
  }
  EXPECT_EQ(find_top_column(Table::kTenants, "bytes"), column("MEMORY"));
  EXPECT_EQ(find_top_column(Table::kTenants, "growth"), column("ΔMEM"));
  EXPECT_EQ(find_top_column(Table::kTenants, "nonsense"), std::nullopt);
}

}  // namespace
}  // namespace tenants::tool
