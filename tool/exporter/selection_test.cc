#include "tool/exporter/selection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace tenants::tool {
namespace {

Row tenant(const std::string& name, std::uint64_t bytes, std::uint64_t commands, Kind kind = Kind::kTenant) {
  Row row{.name = name, .kind = kind, .owner = ""};
  row.values[tenant_column::kBytes] = bytes;
  row.values[tenant_column::kCommands] = commands;
  return row;
}

Node node(std::vector<Row> rows, const std::string& began = "100") {
  Node node;
  node.address = node.id = "a:1";
  node.up = node.data_source = true;
  node.role = Role::kPrimary;
  node.status["reset_unix_seconds"] = began;
  node.rows(Table::kTenants) = std::move(rows);
  return node;
}

class Readings {
 public:
  SharedReading next(std::vector<Node> nodes) {
    auto reading = std::make_shared<Reading>();
    reading->number = ++count_;
    reading->snapshot.nodes = std::move(nodes);
    return reading;
  }

 private:
  std::uint64_t count_ = 0;
};

std::vector<std::string> names(const ShownNode& node) {
  std::vector<std::string> names;
  for (const Shown& shown : node.rows) names.push_back(shown.name);
  std::ranges::sort(names);
  return names;
}

using Names = std::vector<std::string>;

std::uint64_t other(const ShownNode& node, std::size_t column) { return node.other ? (*node.other)[column] : kAbsent; }

TEST(Selection, everything_is_shown_where_there_is_room_and_other_is_the_modules_own_row) {
  Selection selection(Table::kTenants, 2);
  Readings readings;
  auto shown =
      selection.show(readings.next({node({tenant("a", 1, 1), tenant("b", 2, 2), tenant("(other)", 5, 7, Kind::kOther),
                                          tenant("(internal)", 0, 3, Kind::kInternal)})}));
  EXPECT_EQ(names(shown[0]), (Names{"(internal)", "a", "b"}));
  EXPECT_EQ(other(shown[0], tenant_column::kCommands), 7);
}

TEST(Selection, the_heaviest_are_shown_and_the_memory_of_the_rest_adds_up) {
  Selection selection(Table::kTenants, 2);
  Readings readings;
  auto shown = selection.show(readings.next({node({tenant("a", 10, 0), tenant("b", 500, 0), tenant("c", 1, 900),
                                                   tenant("d", 3, 1), tenant("(other)", 5, 7, Kind::kOther)})}));
  EXPECT_EQ(names(shown[0]), (Names{"b", "c"}));
  EXPECT_EQ(other(shown[0], tenant_column::kBytes), 10 + 3 + 5);
}

Row prefix(const std::string& name, const std::string& owner, std::uint64_t bytes) {
  Row row{.name = name, .kind = Kind::kPrefix, .owner = owner};
  row.values[prefix_column::kBytes] = bytes;
  row.values[prefix_column::kKeys] = 1;
  return row;
}

TEST(Selection, one_owner_with_many_prefixes_does_not_hide_those_of_others) {
  Selection selection(Table::kPrefixes, 8, 3);  // of one owner two, a quarter
  Readings readings;
  auto read = [&](std::uint64_t of_e) {
    std::vector<Row> rows{prefix("app", "app1", 1)};
    for (const char* name : {"a", "b", "c", "d"}) rows.push_back(prefix(name, "(orphans)", 1000));
    rows.push_back(prefix("e", "(orphans)", of_e));
    Node all = node({});
    all.rows(Table::kPrefixes) = std::move(rows);
    return selection.show(readings.next({std::move(all)}));
  };
  auto shown = read(1900);
  std::vector<std::string> first = names(shown[0]);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_TRUE(std::ranges::count(first, "app") && std::ranges::count(first, "e"));
  EXPECT_EQ(other(shown[0], prefix_column::kBytes), 3000);
  EXPECT_EQ(names(read(600)[0]), first) << "who is shown stays shown";
  EXPECT_FALSE(std::ranges::count(names(read(400)[0]), "e")) << "until another weighs more than twice as much";
}

TEST(Selection, what_one_hidden_row_does_not_know_the_rest_does_not_know) {
  Selection selection(Table::kTenants, 1);
  Readings readings;
  auto shown = selection.show(readings.next({node({tenant("a", 10, 0), tenant("b", kAbsent, 0), tenant("c", 1, 0)})}));
  EXPECT_EQ(other(shown[0], tenant_column::kBytes), kAbsent);
}

TEST(Selection, the_rest_grows_by_what_hidden_rows_grow_from_the_first_reading_on) {
  Selection selection(Table::kTenants, 1);
  Readings readings;
  selection.show(readings.next({node({tenant("a", 900, 900), tenant("b", 1, 50), tenant("c", 1, 20)})}));
  auto shown = selection.show(readings.next({node({tenant("a", 900, 950), tenant("b", 1, 53), tenant("c", 1, 24)})}));
  EXPECT_EQ(other(shown[0], tenant_column::kCommands), 3 + 4);
}

TEST(Selection, what_was_not_known_before_does_not_grow_the_rest) {
  Selection selection(Table::kTenants, 1);
  Readings readings;
  selection.show(readings.next({node({tenant("a", 900, 900), tenant("b", 1, 50)})}));
  selection.show(readings.next({node({tenant("a", 900, 900), tenant("b", 1, kAbsent)})}));
  selection.show(readings.next({node({tenant("a", 900, 900), tenant("b", 1, 80)})}));
  auto shown = selection.show(readings.next({node({tenant("a", 900, 900), tenant("b", 1, 83)})}));
  EXPECT_EQ(other(shown[0], tenant_column::kCommands), 3);
}

TEST(Selection, a_row_keeps_its_place_unless_a_hidden_one_weighs_more_than_twice_as_much) {
  Selection selection(Table::kTenants, 1);
  Readings readings;
  selection.show(readings.next({node({tenant("a", 500, 500), tenant("b", 400, 400)})}));
  auto shown = selection.show(readings.next({node({tenant("a", 500, 500), tenant("b", 900, 900)})}));
  EXPECT_EQ(names(shown[0]), (Names{"a"}));
  shown = selection.show(readings.next({node({tenant("a", 500, 500), tenant("b", 1100, 1100)})}));
  EXPECT_EQ(names(shown[0]), (Names{"b"}));
}

TEST(Selection, what_a_row_grew_while_it_changes_places_is_in_the_rest) {
  Selection selection(Table::kTenants, 1);
  Readings readings;
  selection.show(readings.next({node({tenant("a", 500, 500), tenant("b", 400, 400)})}));
  auto shown = selection.show(readings.next({node({tenant("a", 500, 510), tenant("b", 5000, 4000)})}));
  EXPECT_EQ(names(shown[0]), (Names{"b"}));
  EXPECT_EQ(other(shown[0], tenant_column::kCommands), 10 + 3600) << "the last of a, and the first of b";
  shown = selection.show(readings.next({node({tenant("a", 500, 511), tenant("b", 5000, 4100)})}));
  EXPECT_EQ(other(shown[0], tenant_column::kCommands), 3611);
}

TEST(Selection, a_hidden_tenant_takes_the_place_of_one_that_is_gone) {
  Selection selection(Table::kTenants, 2);
  Readings readings;
  selection.show(readings.next({node({tenant("a", 9, 9), tenant("b", 8, 8), tenant("c", 1, 1), tenant("d", 2, 2)})}));
  auto shown = selection.show(readings.next({node({tenant("b", 8, 8), tenant("c", 1, 1), tenant("d", 2, 2)})}));
  EXPECT_EQ(names(shown[0]), (Names{"b", "d"}));
}

TEST(Selection, a_node_that_does_not_answer_costs_nobody_the_place) {
  Selection selection(Table::kTenants, 1);
  Readings readings;
  Node second = node({tenant("b", 1, 1)});
  second.address = second.id = "b:1";
  selection.show(readings.next({node({tenant("a", 9, 9)}), second}));
  Node down = node({});
  down.up = false;
  EXPECT_EQ(names(selection.show(readings.next({down, second}))[1]), Names{}) << "a keeps its place, b stays hidden";
  EXPECT_EQ(names(selection.show(readings.next({node({tenant("a", 9, 9)}), second}))[0]), (Names{"a"}));
}

TEST(Selection, counters_of_a_server_that_began_anew_are_counted_from_zero) {
  Selection selection(Table::kTenants, 1);
  Readings readings;
  selection.show(readings.next({node({tenant("a", 900, 900), tenant("b", 1, 50)})}));
  selection.show(readings.next({node({tenant("a", 900, 900), tenant("b", 1, 80)})}));
  auto shown = selection.show(readings.next({node({tenant("a", 900, 10), tenant("b", 1, 100)}, "200")}));
  EXPECT_EQ(other(shown[0], tenant_column::kCommands), 100);
}

TEST(Selection, a_reading_counts_once_also_when_it_comes_late) {
  Selection selection(Table::kTenants, 1);
  Readings readings;
  auto first = readings.next({node({tenant("a", 900, 900), tenant("b", 1, 50)})});
  auto second = readings.next({node({tenant("a", 900, 900), tenant("b", 1, 60)})});
  selection.show(first);
  selection.show(second);
  selection.show(first);
  EXPECT_EQ(other(selection.show(second)[0], tenant_column::kCommands), 10);
}

TEST(Selection, a_key_and_a_prefix_of_the_same_name_are_two_rows) {
  Selection selection(Table::kPrefixes, 10);
  Readings readings;
  Node both = node({});
  both.rows(Table::kPrefixes) = {Row{.name = "a", .kind = Kind::kPrefix, .owner = "x"},
                                 Row{.name = "a", .kind = Kind::kKey, .owner = "x"}};
  EXPECT_EQ(names(selection.show(readings.next({both}))[0]), (Names{"a", "a (key)"}));
}

TEST(Selection, the_growth_of_all_series_is_the_growth_of_all_rows_whatever_comes_and_goes) {
  auto seed = std::random_device()();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  Selection selection(Table::kTenants, 5);
  Readings readings;
  std::map<std::string, std::uint64_t> commands;
  std::map<std::string, std::uint64_t> series;  // as Prometheus has them
  std::uint64_t seen = 0, true_growth = 0, rest = 0;
  for (int step = 0; step < 3000; ++step) {
    std::uint64_t grown = 0;
    for (int i = 0; i < 12; ++i) {
      std::string name(1, static_cast<char>('a' + i));
      if (random() % 50 == 0) commands.erase(name);
      if (!commands.contains(name) && random() % 10) continue;
      std::uint64_t more = random() % 100 ? random() % 10 : random() % 100'000;
      if (commands.contains(name)) grown += more;
      commands[name] += more;
    }
    std::vector<Row> rows;
    for (const auto& [name, count] : commands) rows.push_back(tenant(name, 1, count));
    auto shown = selection.show(readings.next({node(rows)}));
    std::map<std::string, std::uint64_t> now;
    for (const Shown& each : shown[0].rows) now[each.name] = each.row->values[tenant_column::kCommands];
    for (const auto& [name, value] : now)
      if (series.contains(name)) seen += value - std::min(value, series[name]);
    std::uint64_t rest_now = shown[0].other ? (*shown[0].other)[tenant_column::kCommands] : 0;
    ASSERT_GE(rest_now, rest) << "step " << step << ", seed " << seed;
    seen += rest_now - rest;
    rest = rest_now;
    series = now;
    true_growth += grown;
  }
  // Rows that are new while hidden count whole, which rows that are new and shown do not: never less than true.
  EXPECT_GE(seen, true_growth * 99 / 100) << "seed " << seed;
  EXPECT_LE(seen, true_growth * 103 / 100) << "seed " << seed;
}

}  // namespace
}  // namespace tenants::tool
