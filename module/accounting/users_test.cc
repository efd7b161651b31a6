#include "module/accounting/users.h"

#include <gtest/gtest.h>

namespace tenants {
namespace {

TEST(UserTable, rows_of_the_longest_gone_are_reused_first_and_their_counters_go_to_other) {
  UserTable users(3);
  std::uint32_t here = users.add("here"), later = users.add("later"), earlier = users.add("earlier");
  EXPECT_FALSE(users.has_room());
  EXPECT_EQ(users.add("no room"), UserTable::kOther);
  EXPECT_EQ(users.dropped(), 1u);
  users[later].gone_usec = 20;
  users[earlier].gone_usec = 10;
  users[earlier].count(40, Kind::kRead, 5);
  users[earlier].of(Counter::kBytesIn) = 7;
  users.find_gone();
  EXPECT_EQ(users.next_gone(), earlier);
  users.reuse(earlier, "new", 100);
  EXPECT_EQ(users.find("new"), earlier);
  EXPECT_EQ(users.find("earlier"), UserTable::kInternal);
  EXPECT_EQ(users[earlier].commands_total(), 0u);
  EXPECT_EQ(100 - users[earlier].cpu_before, 0u);
  const User& other = users[UserTable::kOther];
  EXPECT_EQ(other.commands_total(), 5u);
  EXPECT_EQ(other.by_number[40], 5u);
  EXPECT_EQ(other.of(Counter::kBytesIn), 7u);
  EXPECT_EQ(0 - other.cpu_before, 100u);
  users[later].connected();
  EXPECT_EQ(users.next_gone(), UserTable::kInternal);
  EXPECT_EQ(users.find("here"), here);
}

TEST(User, takes_back_no_more_than_it_counted) {
  User user;
  user.take_back(3, Kind::kRead);
  user.count(3, Kind::kRead);
  user.take_back(3, Kind::kRead, 2);
  EXPECT_EQ(user.commands_total(), 1u);
  user.take_back(3, Kind::kRead);
  EXPECT_EQ(user.commands_total(), 0u);
}

TEST(User, a_reset_keeps_its_name_and_its_open_connections) {
  User user;
  user.name = "app";
  user.in_acl = true;
  for (int i = 0; i < 3; ++i) user.connected();
  user.disconnected();
  user.count(1, Kind::kWrite);
  user.reset(50);
  EXPECT_EQ(user.name, "app");
  EXPECT_TRUE(user.in_acl);
  EXPECT_EQ(user.connections, 2u);
  EXPECT_EQ(user.connections_peak, 2u);
  EXPECT_EQ(user.of(Counter::kConnections), 0u);
  EXPECT_EQ(user.commands_total(), 0u);
  EXPECT_EQ(user.cpu_before, 50u);
}

}  // namespace
}  // namespace tenants
