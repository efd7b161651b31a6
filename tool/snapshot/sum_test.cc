#include "tool/snapshot/sum.h"

#include <gtest/gtest.h>

namespace tenants::tool {
namespace {

using namespace std::chrono_literals;
namespace t = tenant_column;

Row tenant(std::string name, std::uint64_t keys, std::uint64_t commands, Kind kind = Kind::kTenant) {
  Row row{.name = std::move(name), .kind = kind, .owner = ""};
  for (std::size_t i = 0; i < columns(Table::kTenants).size(); ++i) row.values[i] = 0;
  row.values[t::kKeys] = keys;
  row.values[t::kCommands] = commands;
  return row;
}

Node node(std::string id, Role role, std::vector<Row> tenants) {
  Node node{.address = id, .id = id};
  node.up = true;
  node.role = role;
  node.replication_id = id;
  node.status = {{"start_unix_seconds", "100"}, {"reset_unix_seconds", "100"}};
  node.rows(Table::kTenants) = std::move(tenants);
  return node;
}

Snapshot snapshot(std::vector<Node> nodes, std::chrono::seconds at = 0s) {
  Snapshot all{.nodes = std::move(nodes)};
  for (Node& one : all.nodes) one.at = std::chrono::steady_clock::time_point(at);
  mark_data_sources(all);
  return all;
}

const Row& row_of(const Sum& sum, std::string_view name) {
  for (const Row& row : sum.rows)
    if (row.name == name) return row;
  ADD_FAILURE() << "no row " << name;
  return sum.rows.front();
}

TEST(Sum, data_is_added_over_primaries_and_activity_over_all_nodes) {
  Node replica = node("c", Role::kReplica, {tenant("app", 10, 3)});
  replica.replication_id = "a";
  Sum all = sum(snapshot({node("a", Role::kPrimary, {tenant("app", 10, 5)}),
                          node("b", Role::kPrimary, {tenant("app", 20, 7), tenant("web", 1, 1)}), replica}),
                Table::kTenants);
  EXPECT_EQ(row_of(all, "app").values[t::kKeys], 30u);
  EXPECT_EQ(row_of(all, "app").values[t::kCommands], 15u);
  EXPECT_EQ(row_of(all, "web").values[t::kKeys], 1u);
  EXPECT_EQ(all.total.values[t::kKeys], 31u);
  EXPECT_EQ(all.total.values[t::kCommands], 16u);
}

TEST(Sum, one_unknown_makes_the_sum_unknown_and_a_missing_row_does_not) {
  Row unknown = tenant("app", 10, 5);
  unknown.values[t::kBytes] = kAbsent;
  Row known = tenant("app", 1, 1);
  known.values[t::kBytes] = 100;
  Sum all = sum(snapshot({node("a", Role::kPrimary, {unknown}), node("b", Role::kPrimary, {known}),
                          node("c", Role::kPrimary, {})}),
                Table::kTenants);
  EXPECT_EQ(row_of(all, "app").values[t::kBytes], kAbsent);
  EXPECT_EQ(row_of(all, "app").values[t::kKeys], 11u);
  EXPECT_EQ(all.total.values[t::kBytes], kAbsent);
}

TEST(Sum, what_a_replica_does_not_know_of_its_copies_does_not_matter) {
  Row copy = tenant("app", 10, 0);
  copy.values[t::kBytes] = copy.values[t::kBytesError] = kAbsent;
  Node replica = node("b", Role::kReplica, {copy});
  replica.replication_id = "a";
  Row original = tenant("app", 10, 0);
  original.values[t::kBytes] = 100;
  Sum all = sum(snapshot({node("a", Role::kPrimary, {original}), replica}), Table::kTenants);
  EXPECT_EQ(row_of(all, "app").values[t::kBytes], 100u);
}

TEST(Sum, a_user_cannot_pass_for_a_row_of_the_modules_own) {
  Sum all = sum(snapshot({node("a", Role::kPrimary, {tenant("(other)", 1, 0)}),
                          node("b", Role::kPrimary, {tenant("(other)", 2, 0, Kind::kOther)})}),
                Table::kTenants);
  ASSERT_EQ(all.rows.size(), 2u);
  EXPECT_EQ(shown_name(all.rows[0]), "%28other)");
  EXPECT_EQ(shown_name(all.rows[1]), "(other)");
}

TEST(Sum, a_kind_of_row_that_is_not_known_is_escaped_as_any_name) {
  EXPECT_EQ(shown_name(tenant("(x\x1b", 0, 0, Kind::kUnknown)), "%28x%1B");
}

TEST(Sum, shares_of_prefixes_are_weighted_and_a_few_unknown_lookups_do_not_hide_the_ratio) {
  namespace p = prefix_column;
  auto prefix = [](std::uint64_t keys, std::uint64_t coverage, std::uint64_t hits, std::uint64_t misses,
                   std::uint64_t ratio) {
    Row row = tenant("app:", 0, 0, Kind::kPrefix);
    row.values.fill(0);
    row.values[p::kKeys] = keys, row.values[p::kCoverage] = coverage;
    row.values[p::kHits] = hits, row.values[p::kMisses] = misses, row.values[p::kHitRatio] = ratio;
    return row;
  };
  auto all = [&](Row one, Row two) {
    Node a = node("a", Role::kPrimary, {}), b = node("b", Role::kPrimary, {});
    a.rows(Table::kPrefixes) = {std::move(one)}, b.rows(Table::kPrefixes) = {std::move(two)};
    return sum(snapshot({a, b}), Table::kPrefixes).rows.at(0).values;
  };
  Values sum = all(prefix(300, 1000, 90, 10, 900), prefix(100, 600, 1, 2, kAbsent));
  EXPECT_EQ(sum[p::kCoverage], 900u);
  EXPECT_EQ(sum[p::kHitRatio], 900u);
  EXPECT_EQ(all(prefix(1, 1, 90, 10, 900), prefix(1, 1, 20, 10, kAbsent))[p::kHitRatio], kAbsent);
  EXPECT_EQ(all(prefix(1, 1, 0, 0, kAbsent), prefix(1, 1, 0, 0, kAbsent))[p::kHitRatio], kAbsent);
}

TEST(Sum, a_peak_is_known_only_where_it_is_of_one_node) {
  namespace u = user_column;
  Row user = tenant("app", 0, 0, Kind::kUser);
  user.values.fill(4);
  Node a = node("a", Role::kPrimary, {}), b = node("b", Role::kPrimary, {});
  a.rows(Table::kUsers) = {user};
  EXPECT_EQ(sum(snapshot({a, b}), Table::kUsers).rows[0].values[u::kConnectionsPeak], 4u);
  b.rows(Table::kUsers) = {user};
  EXPECT_EQ(sum(snapshot({a, b}), Table::kUsers).rows[0].values[u::kConnectionsPeak], kAbsent);
  EXPECT_EQ(sum(snapshot({a, b}), Table::kUsers).rows[0].values[u::kConnections], 8u);
}

TEST(Growth, counters_are_what_they_grew_and_gauges_stay) {
  Snapshot before = snapshot({node("a", Role::kPrimary, {tenant("app", 10, 100)})});
  Snapshot now = snapshot({node("a", Role::kPrimary, {tenant("app", 12, 130)})}, 2s);
  const Values values = growth(before, now).nodes[0].rows(Table::kTenants)[0].values;
  EXPECT_EQ(values[t::kKeys], 12u);
  EXPECT_EQ(values[t::kCommands], 30u);
  EXPECT_DOUBLE_EQ(seconds_between(before, now), 2);
}

TEST(Growth, nothing_that_comes_goes_or_restarts_makes_a_spike_or_a_negative) {
  Snapshot before =
      snapshot({node("a", Role::kPrimary, {tenant("app", 0, 100)}), node("b", Role::kPrimary, {tenant("app", 0, 1000)}),
                node("c", Role::kPrimary, {tenant("app", 0, 50)}), node("d", Role::kPrimary, {tenant("app", 0, 70)})});
  Node restarted = node("c", Role::kPrimary, {tenant("app", 0, 60)});  // more than before, and yet all of it is new
  restarted.status["start_unix_seconds"] = "200";
  Snapshot now =
      snapshot({node("a", Role::kPrimary, {tenant("app", 0, 40), tenant("new", 0, 5)}),  // went down
                restarted, node("e", Role::kPrimary, {tenant("app", 0, 9999)})});  // unknown before; b and d are gone
  Sum all = sum(growth(before, now), Table::kTenants);
  EXPECT_EQ(row_of(all, "app").values[t::kCommands], 40u + 60u + 0u);
  EXPECT_EQ(row_of(all, "new").values[t::kCommands], 5u);
}

TEST(Growth, of_what_was_not_known_before_is_not_known) {
  Snapshot before = snapshot({node("a", Role::kPrimary, {tenant("app", 0, kAbsent)})});
  Snapshot now = snapshot({node("a", Role::kPrimary, {tenant("app", 0, 500)})});
  EXPECT_EQ(growth(before, now).nodes[0].rows(Table::kTenants)[0].values[t::kCommands], kAbsent);
}

TEST(Growth, a_node_that_did_not_answer_before_counts_nothing) {
  Snapshot before = snapshot({node("a", Role::kPrimary, {tenant("app", 0, 100)})});
  before.nodes[0].fail(Failure(Exit::kConnect, "gone"));
  Snapshot now = snapshot({node("a", Role::kPrimary, {tenant("app", 0, 500)})});
  EXPECT_EQ(growth(before, now).nodes[0].rows(Table::kTenants)[0].values[t::kCommands], 0u);
}

TEST(Growth, each_node_counts_by_the_time_between_its_own_answers) {
  Snapshot before =
      snapshot({node("a", Role::kPrimary, {tenant("app", 0, 0)}), node("b", Role::kPrimary, {tenant("app", 0, 0)})});
  Snapshot now = snapshot(
      {node("a", Role::kPrimary, {tenant("app", 0, 2000)}), node("b", Role::kPrimary, {tenant("app", 0, 600)})}, 2s);
  now.nodes[1].at += 4s;  // it took until then to answer: 100 per second
  double seconds = seconds_between(before, now);
  EXPECT_NEAR(
      static_cast<double>(row_of(sum(growth(before, now), Table::kTenants), "app").values[t::kCommands]) / seconds,
      1100, 1);
}

TEST(Growth, what_a_node_does_while_it_does_not_answer_is_not_lost) {
  Snapshot first = snapshot({node("a", Role::kPrimary, {tenant("app", 0, 100)})});
  Snapshot second = snapshot({node("a", Role::kPrimary, {})}, 2s);
  second.nodes[0].fail(Failure(Exit::kConnect, "gone"));
  Snapshot before = remember(first, second);
  Snapshot now = snapshot({node("a", Role::kPrimary, {tenant("app", 0, 500)})}, 4s);
  EXPECT_EQ(growth(before, now).nodes[0].rows(Table::kTenants)[0].values[t::kCommands], 400u);
  EXPECT_DOUBLE_EQ(seconds_between(before, now), 4);
}

TEST(LargestParts, are_of_the_sources_of_data) {
  Node replica = node("c", Role::kReplica, {tenant("app", 500, 0)});
  replica.replication_id = "a";
  Snapshot all = snapshot({node("a", Role::kPrimary, {tenant("app", 30, 0), tenant("idle", 0, 0)}),
                           node("b", Role::kPrimary, {tenant("app", 90, 0)}), replica});
  auto parts = largest_parts(all, Table::kTenants);
  EXPECT_EQ(parts.at("app").node, &all.nodes[1]);
  EXPECT_EQ(parts.at("app").share(), 750u);
  EXPECT_FALSE(parts.contains("idle"));
  all.nodes[0].fail({Exit::kConnect, "refused"});
  EXPECT_TRUE(largest_parts(all, Table::kTenants).empty()) << "a part is missing";
}

TEST(DataSources, a_replaced_primary_that_does_not_know_yet_is_none) {
  Node old = node("a", Role::kPrimary, {}), heir = node("b", Role::kPrimary, {}), other = node("c", Role::kPrimary, {});
  heir.previous_replication_id = "a";
  for (Node* one : {&old, &heir, &other}) one->cluster = 0;
  Snapshot all = snapshot({old, heir, other});
  EXPECT_FALSE(all.nodes[0].data_source);
  EXPECT_TRUE(all.nodes[1].data_source);
  EXPECT_TRUE(all.nodes[2].data_source);
}

TEST(DataSources, a_replica_that_joins_anew_as_a_primary_replaces_nobody) {
  Node owner = node("a", Role::kPrimary, {}), guest = node("b", Role::kPrimary, {});
  guest.previous_replication_id = "a";  // CLUSTER RESET keeps it
  owner.shard = "a", guest.shard = "b";
  owner.slots = 16384;
  for (Node* one : {&owner, &guest}) one->cluster = 0;
  Snapshot all = snapshot({owner, guest});
  EXPECT_TRUE(all.nodes[0].data_source && all.nodes[1].data_source);
  EXPECT_TRUE(all.incomplete().empty());
}

TEST(DataSources, an_independent_copy_outside_a_cluster_is_one) {
  Node original = node("a", Role::kPrimary, {}), copy = node("b", Role::kPrimary, {});
  copy.previous_replication_id = "a";
  Snapshot all = snapshot({original, copy});
  EXPECT_TRUE(all.nodes[0].data_source && all.nodes[1].data_source);
}

TEST(DataSources, of_replicas_alone_one_of_each_primary_stands_in) {
  Node one = node("a", Role::kReplica, {}), same = node("b", Role::kReplica, {}), other = node("c", Role::kReplica, {});
  one.replication_id = same.replication_id = "x";
  Snapshot all = snapshot({one, same, other});
  EXPECT_TRUE(all.nodes[0].data_source);
  EXPECT_FALSE(all.nodes[1].data_source);
  EXPECT_TRUE(all.nodes[2].data_source);
  Node dead = node("d", Role::kUnknown, {}), unrelated = node("e", Role::kPrimary, {});
  dead.fail(Failure(Exit::kConnect, "gone"));
  Snapshot more = snapshot({one, dead, unrelated});
  EXPECT_TRUE(more.nodes[0].data_source) << "its primary, whichever that is, is not among those that count";
  EXPECT_TRUE(more.nodes[2].data_source);
}

TEST(DataSources, of_two_primaries_of_one_shard_the_one_that_most_nodes_know_counts) {
  Node parted = node("a", Role::kPrimary, {}), owner = node("b", Role::kPrimary, {}),
       other = node("c", Role::kPrimary, {});
  parted.shard = owner.shard = "a", other.shard = "c";
  parted.slots = owner.slots = 100, other.slots = 50;
  parted.votes = 1, owner.votes = 2, other.votes = 3;
  for (Node* one : {&parted, &owner, &other}) one->cluster = 0;
  for (const Snapshot& all : {snapshot({parted, owner, other}), snapshot({owner, parted, other})})
    for (const Node& one : all.nodes) EXPECT_EQ(one.data_source, one.id != "a");
}

TEST(DataSources, a_shard_without_a_primary_is_missing_in_the_sums) {
  Node demoted = node("a", Role::kReplica, {}), heir = node("b", Role::kReplica, {}),
       other = node("c", Role::kPrimary, {});
  demoted.shard = heir.shard = "a", other.shard = "c";
  demoted.slots = 5461, other.slots = 10923;
  for (Node* one : {&demoted, &heir, &other}) one->cluster = 0;
  EXPECT_EQ(snapshot({demoted, heir, other}).incomplete(),
            std::vector<std::string>{"no primary answers for 5461 slots"});
  heir.role = Role::kPrimary;
  EXPECT_TRUE(snapshot({demoted, heir, other}).incomplete().empty());
}

TEST(DataSources, a_replica_lags_behind_the_source_of_its_shard) {
  Node source = node("a", Role::kPrimary, {}), replica = node("b", Role::kReplica, {});
  replica.replication_id = "a";
  source.replication_offset = 1000, replica.replication_offset = 900;
  source.status["keys"] = "50", replica.status["keys"] = "52";
  Snapshot all = snapshot({source, replica});
  const Node* found = source_of(all, all.nodes[1]);
  ASSERT_EQ(found, &all.nodes[0]);
  EXPECT_EQ(lag(*found, all.nodes[1]).bytes, 100u);
  EXPECT_EQ(lag(*found, all.nodes[1]).keys, -2);
  EXPECT_FALSE(source_of(all, all.nodes[0]));
}

TEST(Snapshots, a_node_that_is_down_says_how_old_its_last_answer_is) {
  Node dead = node("d", Role::kPrimary, {});
  dead.answered = std::chrono::system_clock::time_point(100s);
  dead.fail(Failure(Exit::kConnect, "gone"));
  Snapshot all = snapshot({dead});
  all.taken = std::chrono::system_clock::time_point(112s);
  EXPECT_EQ(all.incomplete(), std::vector<std::string>{"d: gone, last answer 12 s ago"});
}

TEST(Snapshots, the_weakest_mode_of_the_sources_of_data_is_that_of_all) {
  Node exact = node("a", Role::kPrimary, {}), swept = node("b", Role::kPrimary, {}),
       copy = node("c", Role::kReplica, {});
  exact.status["keys_mode"] = "exact", swept.status["keys_mode"] = "swept", copy.status["keys_mode"] = "seeding";
  copy.replication_id = "a";
  EXPECT_EQ(snapshot({exact, copy}).keys_mode(), "exact");
  EXPECT_EQ(snapshot({exact, swept, copy}).keys_mode(), "swept");
}

TEST(Snapshots, as_long_as_sources_of_data_count_their_keys_that_is_said) {
  Node exact = node("a", Role::kPrimary, {}), first = node("b", Role::kPrimary, {}),
       copy = node("c", Role::kReplica, {});
  exact.status["keys_mode"] = "exact", first.status["keys_mode"] = "swept", copy.status["keys_mode"] = "seeding";
  copy.replication_id = "a";
  first.status["sweep_passes"] = "1";
  EXPECT_EQ(snapshot({exact, first, copy}).counting(), "");
  first.status["sweep_passes"] = "0", first.status["sweep_progress"] = "0.579", first.status["sweep_state"] = "running";
  EXPECT_EQ(snapshot({exact, first, copy}).counting(),
            "keys are being counted on 1 of 2 nodes (57 %), their numbers are not exact yet");
  first.status["keys_mode"] = "seeding", first.status["sweep_passes"] = "3";
  EXPECT_EQ(snapshot({first}).counting(), "keys are being counted (57 %), their numbers are not exact yet");
  first.status["sweep_state"] = "paused", first.status["sweep_paused_by"] = "slow_log";
  EXPECT_EQ(snapshot({first}).counting(), "keys are being counted (paused: slow_log), their numbers are not exact yet");
}

}  // namespace
}  // namespace tenants::tool
