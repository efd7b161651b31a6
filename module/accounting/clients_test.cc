#include "module/accounting/clients.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <unordered_map>

namespace tenants {
namespace {

TEST(ClientTable, behaves_like_a_map_and_its_entries_never_move) {
  unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  ClientTable table;
  std::unordered_map<std::uint64_t, Client*> truth;
  for (int step = 0; step < 200'000; ++step) {
    std::uint64_t id = random() % 5000 + (random() % 2) * 1'000'000'000'000;
    if (random() % 5 < 3 && !truth.contains(id)) {
      truth[id] = &table.insert(id);
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
  });
  EXPECT_EQ(visited, truth.size());
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
