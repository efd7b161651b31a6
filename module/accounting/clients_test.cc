#include "module/accounting/clients.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <unordered_map>

namespace tenants {
namespace {

TEST(ClientTable, behaves_like_a_map_and_tells_of_every_entry_that_moves) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  ClientTable table;
  std::unordered_map<std::uint64_t, Client*> truth;
  table.tell_moves(
      [](void* keeper, const Client* from, Client* to) {
        Client*& known = static_cast<decltype(truth)*>(keeper)->at(to->id);
        ASSERT_EQ(known, from);
        known = to;
      },
      &truth);
  for (int step = 0; step < 200'000; ++step) {
    std::uint64_t id = random() % 5000 + (random() % 2) * 1'000'000'000'000;
    if (random() % 5 < 3 && !truth.contains(id)) {
      Client& made = table.insert(id);
      made.user = static_cast<std::uint32_t>(id % 1000);
      truth[id] = &made;
    } else if (truth.contains(id) && random() % 2) {
      table.erase(id);
      truth.erase(id);
    }
    ASSERT_EQ(table.find(id), truth.contains(id) ? truth[id] : nullptr) << "seed " << seed;
    ASSERT_EQ(table.size(), truth.size());
  }
  std::size_t visited = 0;
  table.for_each([&](Client& client) {
    ++visited;
    ASSERT_EQ(truth.at(client.id), &client);
    ASSERT_EQ(client.user, client.id % 1000);
  });
  EXPECT_EQ(visited, truth.size());
}

TEST(ClientTable, finds_nearly_all_in_their_own_line_whatever_the_pattern_of_ids) {
  for (std::uint64_t step : {1, 3, 8, 100, 1000, 1 << 16}) {
    ClientTable table;
    for (std::size_t clients : {1000, 5000, 20'000}) {
      while (table.size() < clients) table.insert(17 + table.size() * step);
      EXPECT_LT(table.chained(), clients / 7) << clients << " ids, each " << step << "th";
    }
  }
}

TEST(ClientTable, meets_each_entry_that_stays_in_every_round_also_while_it_grows) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  ClientTable table;
  std::uint64_t next = 1;
  for (; next <= 300; ++next) table.insert(next);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::uint64_t> stay, met;
    table.for_each([&](Client& client) { stay.push_back(client.id); });
    std::uint32_t place = 0;
    do {
      std::size_t before = met.size();
      place = table.visit_some(place, 25, [&](Client& client) { met.push_back(client.id); });
      ASSERT_LE(met.size() - before, 25u);
      for (int i = random() % 8; i > 0; --i) table.insert(next++);
      for (int i = random() % 5; i > 0; --i) {
        std::uint64_t gone = stay[random() % stay.size()];
        if (stay.size() < 50) break;
        std::erase(stay, gone);
        table.erase(gone);
      }
    } while (place > 0);
    std::ranges::sort(met);
    for (std::uint64_t id : stay) ASSERT_TRUE(std::ranges::binary_search(met, id)) << id << ", seed " << seed;
  }
}

TEST(Transaction, adds_up_each_command_in_parts_that_a_login_ends) {
  Transaction transaction;
  for (std::uint16_t command : {3, 4, 3}) transaction.add(command);
  transaction.end_part();
  transaction.add(3);
  std::map<int, unsigned> part;
  auto note = [&](const Transaction::Item& item) { part[item.command] += item.times; };
  std::size_t next = transaction.visit_part(0, note);
  EXPECT_EQ(part, (std::map<int, unsigned>{{3, 2}, {4, 1}}));
  part.clear();
  EXPECT_EQ(transaction.visit_part(next, note), transaction.end());
  EXPECT_EQ(part, (std::map<int, unsigned>{{3, 1}}));
  transaction.clear();
  EXPECT_EQ(transaction.end(), 0u);
}

TEST(ClientTable, erasing_an_unknown_client_does_nothing) {
  ClientTable table;
  table.insert(1);
  table.erase(2);
  EXPECT_EQ(table.size(), 1u);
}

}  // namespace
}  // namespace tenants
