#include "module/accounting/bytes.h"

#include <gtest/gtest.h>

namespace tenants {
namespace {

TEST(Bytes, only_what_went_over_the_connection_since_the_last_look_is_the_users) {
  Bytes bytes;
  Client client;
  User first, second;
  bytes.begin(client, ClientLine("id=1 tot-net-in=100 tot-net-out=1000"));
  bytes.take(client, ClientLine("id=1 tot-net-in=107 tot-net-out=1000"), first);
  bytes.take(client, ClientLine("id=1 tot-net-in=110 tot-net-out=1500"), second);
  EXPECT_EQ(first.of(Counter::kBytesIn), 7u);
  EXPECT_EQ(first.of(Counter::kBytesOut), 0u);
  EXPECT_EQ(second.of(Counter::kBytesIn), 3u);
  EXPECT_EQ(second.of(Counter::kBytesOut), 500u);
  bytes.take(client, ClientLine("id=1 tot-net-in=5 tot-net-out=1500"), second);
  EXPECT_EQ(second.of(Counter::kBytesIn), 3u) << "it began anew";
  EXPECT_TRUE(bytes.known());
  bytes.take(client, ClientLine("id=1 tot-net-in=9"), second);
  EXPECT_FALSE(bytes.known());
  EXPECT_EQ(second.of(Counter::kBytesIn), 3u);
}

TEST(Bytes, looks_take_a_hundredth_of_the_time_and_what_was_saved_up) {
  Bytes bytes;
  std::uint64_t now = 3'600'000'000, spent = 0;
  while (bytes.affords_look(now)) bytes.looked(100), spent += 100;
  EXPECT_LE(spent, 50'100u);
  EXPECT_GE(spent, 50'000u);
  std::uint64_t end = now + 10'000'000;
  for (spent = 0; now < end; now += 50)
    if (bytes.affords_look(now)) bytes.looked(100), spent += 100;
  EXPECT_LE(spent, 100'200u);
  EXPECT_LE(50'000u, spent) << "a hundredth of 50 us is nothing: so it is saved up";
}

TEST(Bytes, a_round_begins_once_a_second_and_its_parts_rest_for_400_times_what_they_took) {
  Bytes bytes;
  std::uint64_t now = 5'000'000;
  ASSERT_TRUE(bytes.is_due(now));
  EXPECT_EQ(bytes.begin_part(now), 0u);
  bytes.end_part(17, now, 100, 1000);
  EXPECT_FALSE(bytes.is_due(now + 39'999));
  EXPECT_TRUE(bytes.is_due(now + 40'000)) << "in the middle of a round there is no need to wait for a second";
  EXPECT_EQ(bytes.begin_part(now + 40'000), 17u);
  bytes.end_part(0, now + 40'000, 1, 1000);
  EXPECT_FALSE(bytes.is_due(now + 999'999));
  EXPECT_TRUE(bytes.is_due(now + 1'000'000));
  bytes.end_part(0, now + 1'000'000, 1, 3'000'000);
  EXPECT_FALSE(bytes.is_due(now + 3'999'999)) << "the interval that was set";
  EXPECT_EQ(Bytes::part_of(10), 25u);
  EXPECT_EQ(Bytes::part_of(10'000), 100u);
}

}  // namespace
}  // namespace tenants
