#include <gtest/gtest.h>

#include "tool/fleet/attention.h"

namespace tenants::tool {
namespace {

constexpr double kMiB = 1 << 20;

Node a_node(const char* address, double used = 100 * kMiB, std::uint64_t uptime = 100'000) {
  Node node{.address = address, .id = address};
  node.up = node.data_source = true;
  node.role = Role::kPrimary;
  node.used_memory = static_cast<std::uint64_t>(used);
  node.status["uptime_seconds"] = std::to_string(uptime);
  return node;
}

Row a_row(const char* name, std::initializer_list<std::pair<std::size_t, std::uint64_t>> values) {
  Row row{.name = name, .owner = ""};
  for (std::size_t i = 0; i < columns(Table::kTenants).size(); ++i) row.values[i] = 0;
  for (auto [column, value] : values) row.values[column] = value;
  return row;
}

void add(Window& window, Row row, long long bytes_change = 0) {
  window.rows.push_back(std::move(row));
  window.changes.push_back({0, bytes_change});
}

// One node, and what its tenants did.
struct Scene {
  Snapshot now;
  Recent recent;
  Scene() {
    now.nodes.push_back(a_node("db1:6379"));
    recent.now.push_back({.node = "db1:6379", .seconds = 10, .complete = true});
    recent.five_minutes.push_back({.node = "db1:6379", .seconds = 300, .complete = true});
  }
  Node& node() { return now.nodes[0]; }
  void grows(const char* name, double bytes, std::uint64_t bytes_in = 1 << 30) {
    Row row = a_row(name, {{tenant_column::kWrites, 10}, {tenant_column::kBytesIn, bytes_in}});
    add(recent.five_minutes[0], row, static_cast<long long>(bytes));
  }
  std::vector<std::string> said() const {
    std::vector<std::string> lines;
    for (const Concern& one : attention({now, recent}))
      lines.push_back(std::string(severity_name(one.severity)) + " " + one.text);
    return lines;
  }
};
using Lines = std::vector<std::string>;

TEST(Attention, nothing_is_said_of_a_server_that_is_well) {
  Scene scene;
  scene.node().max_memory = static_cast<std::uint64_t>(200 * kMiB);
  add(scene.recent.now[0], a_row("app1", {{tenant_column::kCommands, 50'000}, {tenant_column::kCpuUsec, 4'900'000}}));
  scene.grows("app1", 0.9 * kMiB);
  EXPECT_EQ(scene.said(), Lines());
  EXPECT_EQ(attention({Snapshot(), Recent()}).size(), 0u);
}

TEST(Attention, a_node_that_is_down_comes_first) {
  Scene scene;
  add(scene.recent.now[0], a_row("app1", {{tenant_column::kErrors, 1000}}));
  for (const char* address : {"db2:6379", "db3:6379"}) {
    scene.now.nodes.push_back(a_node(address));
    scene.now.nodes.back().fail(Failure(Exit::kConnect, "Connection refused"));
  }
  EXPECT_EQ(scene.said(),
            Lines({"critical db2:6379 is down: Connection refused, and 1 more", "warning app1: 100 errors/s"}));
}

TEST(Attention, memory_near_its_limit_and_whose_keys_pay_for_it) {
  Scene scene;
  scene.node().max_memory = static_cast<std::uint64_t>(100 * kMiB / 0.9) + 1;
  EXPECT_EQ(scene.said(), Lines());
  scene.node().max_memory = static_cast<std::uint64_t>(100 * kMiB / 0.93);
  EXPECT_EQ(scene.said(), Lines({"warning memory is at 93 % of maxmemory, 100 MiB of 108 MiB"}));
  Snapshot grown = scene.now;
  Row prefix{.name = "shop:", .kind = Kind::kPrefix, .owner = "shop"};
  prefix.values[prefix_column::kEvicted] = 30;
  grown.nodes[0].rows(Table::kPrefixes).push_back(prefix);
  std::vector<Concern> concerns = attention({scene.now, scene.recent, &grown, 2});
  ASSERT_EQ(concerns.size(), 1u);
  EXPECT_EQ(concerns[0].text,
            "memory is at 93 % of maxmemory, 100 MiB of 108 MiB, evicts 15 keys/s, most of it shop's");
  EXPECT_EQ(concerns[0].tenant, "shop");
}

TEST(Attention, a_full_server_that_refuses_is_critical) {
  Scene scene;
  scene.node().max_memory = scene.node().used_memory;
  add(scene.recent.now[0], a_row("shop", {{tenant_column::kRejected, 50}}));
  EXPECT_EQ(scene.said(), Lines({"critical memory is at 100 % of maxmemory, 100 MiB of 100 MiB, 5.0 commands/s are "
                                 "refused, most of them shop's"}));
}

TEST(Attention, the_tenant_that_grew_most_and_when_the_node_is_full) {
  Scene scene;
  scene.grows("app1", 20 * kMiB);
  scene.grows("greedy\x1b", 82 * kMiB);
  EXPECT_EQ(scene.said(), Lines({"notice greedy%1B grew by 82 MiB in 5 min"}));
  scene.node().max_memory = static_cast<std::uint64_t>((100 + 197) * kMiB);
  EXPECT_EQ(scene.said(), Lines({"warning greedy%1B grew by 82 MiB in 5 min, full in about 12 min"}));
  EXPECT_EQ(attention({scene.now, scene.recent})[0].tenant, "greedy\x1b");
}

TEST(Attention, little_growth_of_a_large_server_is_none) {
  Scene scene;
  scene.node().used_memory = static_cast<std::uint64_t>(100'000 * kMiB);
  scene.grows("app1", 82 * kMiB);
  EXPECT_EQ(scene.said(), Lines());
}

TEST(Attention, growth_is_added_over_the_nodes_whose_data_count) {
  Scene scene;
  scene.now.nodes.push_back(a_node("db2:6379"));
  scene.now.nodes.push_back(a_node("replica:6379"));
  scene.now.nodes.back().data_source = false;
  scene.grows("app1", 40 * kMiB);
  for (const char* address : {"db2:6379", "replica:6379"}) {
    scene.recent.five_minutes.push_back(scene.recent.five_minutes[0]);
    scene.recent.five_minutes.back().node = address;
  }
  EXPECT_EQ(scene.said(), Lines({"notice app1 grew by 80 MiB in 5 min"}));
}

TEST(Attention, what_a_young_server_loads_or_counts_is_no_growth) {
  Scene scene;
  scene.node() = a_node("db1:6379", 100 * kMiB, 20);
  scene.recent.five_minutes[0].seconds = 20;
  scene.grows("loaded", 50 * kMiB, 100'000);
  scene.grows("writes", 5 * kMiB);
  EXPECT_EQ(scene.said(), Lines({"notice writes grew by 5.0 MiB in 20 s"}));
}

TEST(Attention, errors_and_denials_that_happen_now_and_whose) {
  Scene scene;
  add(scene.recent.now[0], a_row("app1", {{tenant_column::kErrors, 30}, {tenant_column::kDenied, 1}}));
  add(scene.recent.now[0], a_row("app2", {{tenant_column::kErrors, 10}, {tenant_column::kDenied, 500}}));
  EXPECT_EQ(scene.said(),
            Lines({"warning app2: 50 commands/s refused by the ACL", "notice app1: 3.0 errors/s, 4.0/s in all"}));
  scene.recent.now[0].seconds = 1;
  EXPECT_EQ(scene.said(), Lines()) << "a window of one second says nothing";
}

TEST(Attention, a_tenant_that_takes_most_of_the_cpu) {
  Scene scene;
  add(scene.recent.now[0], a_row("app1", {{tenant_column::kCpuUsec, 6'200'000}}));
  EXPECT_EQ(scene.said(), Lines({"notice app1 takes 62 % of the CPU"}));
  add(scene.recent.now[0], a_row("app2", {{tenant_column::kCpuUsec, 9'500'000}}));
  EXPECT_EQ(scene.said(), Lines({"warning app2 takes 95 % of the CPU"}));
}

TEST(Attention, two_readings_say_it_where_the_servers_do_not) {
  Scene scene;
  scene.recent = {};
  Snapshot grown = scene.now;
  grown.nodes[0].rows(Table::kTenants).push_back(a_row("app1", {{tenant_column::kDenied, 30}}));
  std::vector<Concern> concerns = attention({scene.now, scene.recent, &grown, 3});
  ASSERT_EQ(concerns.size(), 1u);
  EXPECT_EQ(concerns[0].text, "app1: 10 commands/s refused by the ACL");
}

TEST(Attention, no_more_than_four_are_said) {
  Scene scene;
  scene.node().max_memory = scene.node().used_memory;
  scene.now.nodes.push_back(a_node("db2:6379"));
  scene.now.nodes.back().fail(Failure(Exit::kConnect, "Connection refused"));
  scene.grows("app1", 82 * kMiB);
  using namespace tenant_column;
  add(scene.recent.now[0], a_row("app1", {{kErrors, 1000}, {kDenied, 1000}, {kCpuUsec, 6'000'000}}));
  Lines said = scene.said();
  ASSERT_EQ(said.size(), 4u);
  EXPECT_TRUE(said[3].starts_with("warning app1: 100 commands/s refused")) << said[3];
}

}  // namespace
}  // namespace tenants::tool
