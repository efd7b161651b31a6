#include "tool/exporter/history.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tenants::tool {
namespace {

using namespace tenant_column;

class HistoryTest : public testing::Test {
 protected:
  struct Use {
    std::string name;
    std::uint64_t bytes, commands;
  };

  void next(const std::vector<Use>& uses) {
    auto reading = std::make_shared<Reading>();
    reading->number = ++number_;
    Node& node = reading->snapshot.nodes.emplace_back();
    node.address = node.id = "a:1", node.up = true, node.data_source = true;
    node.at = std::chrono::steady_clock::time_point(std::chrono::seconds(5 * number_));
    reading->snapshot.taken = std::chrono::system_clock::time_point(std::chrono::seconds(5 * number_));
    for (const Use& use : uses) {
      Row row{.name = use.name, .owner = "", .values = {}};
      row.values[kBytes] = use.bytes, row.values[kCommands] = use.commands;
      node.rows(Table::kTenants).push_back(row);
    }
    history.add(reading);
  }

  History history;

 private:
  int number_ = 0;
};

TEST_F(HistoryTest, gauges_are_as_they_are_and_counters_are_rates_of_five_seconds) {
  next({{"a", 100, 1000}, {"b", 7, 0}});
  next({{"a", 200, 1050}, {"b", 7, 0}});
  EXPECT_EQ(history.of("a", History::kMemory), (History::Series{100, 200}));
  History::Series rates = history.of("a", History::kCommands);
  EXPECT_TRUE(std::isnan(rates[0]));
  EXPECT_FLOAT_EQ(rates[1], 10);
  EXPECT_EQ(history.of_all(History::kMemory), (History::Series{107, 207}));
  EXPECT_EQ(history.times(), (std::vector<double>{5, 10}));
  EXPECT_TRUE(history.of("nobody", History::kMemory).empty());
}

TEST_F(HistoryTest, ten_minutes_are_kept_and_no_more) {
  for (std::uint64_t i = 1; i <= 130; ++i) next({{"a", i, 0}});
  History::Series memory = history.of("a", History::kMemory);
  ASSERT_EQ(memory.size(), History::kSlots);
  EXPECT_EQ(memory.front(), 11);
  EXPECT_EQ(memory.back(), 130);
}

TEST_F(HistoryTest, a_tenant_that_is_gone_is_forgotten_when_nothing_is_left_to_draw) {
  next({{"a", 1, 0}, {"b", 1, 0}});
  for (int i = 0; i < 119; ++i) next({{"b", 1, 0}});
  EXPECT_EQ(history.of("a", History::kMemory).front(), 1);
  next({{"b", 1, 0}});
  EXPECT_TRUE(history.of("a", History::kMemory).empty());
}

TEST_F(HistoryTest, with_more_tenants_than_places_those_that_weigh_most_are_kept_and_one_that_grows_comes_in) {
  std::vector<Use> uses;
  for (std::uint64_t i = 0; i < 2000; ++i) uses.push_back({"tenant" + std::to_string(i), 1000 + i, 0});
  next(uses);
  EXPECT_FALSE(history.of("tenant1999", History::kMemory).empty());
  EXPECT_FALSE(history.of("tenant1500", History::kMemory).empty());
  EXPECT_TRUE(history.of("tenant1499", History::kMemory).empty());
  uses[7].bytes = 2000;  // not yet twice as much
  next(uses);
  EXPECT_TRUE(history.of("tenant7", History::kMemory).empty());
  uses[7].bytes = 10000;
  next(uses);
  EXPECT_EQ(history.of("tenant7", History::kMemory).back(), 10000);
  EXPECT_TRUE(history.of("tenant1500", History::kMemory).empty());
}

TEST_F(HistoryTest, a_reading_that_failed_is_a_gap) {
  next({{"a", 1, 0}});
  history.add(nullptr);
  next({{"a", 3, 0}});
  History::Series memory = history.of("a", History::kMemory);
  EXPECT_TRUE(std::isnan(memory[1]));
  EXPECT_EQ(memory[2], 3);
}

}  // namespace
}  // namespace tenants::tool
