#include "module/accounting/server_text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace tenants {
namespace {

constexpr std::string_view kLine =
    "id=7 addr=127.0.0.1:5 laddr=127.0.0.1:6379 fd=8 name=flags=x age=1 idle=0 flags=xT db=0 sub=0 watch=2 user=id=9 "
    "cmd=client|list tot-net-in=18446744073709551615 tot-net-out=12";

TEST(ClientLine, a_field_is_found_by_its_whole_name_and_not_in_anothers_value) {
  ClientLine line(kLine);
  EXPECT_EQ(line.number("id"), 7u);
  EXPECT_EQ(line.value("flags"), "xT");
  EXPECT_EQ(line.value("user"), "id=9");
  EXPECT_EQ(line.value("cmd"), "client|list");
  EXPECT_EQ(line.number("tot-net-in"), ~std::uint64_t{0});
  EXPECT_EQ(line.number("tot-net-out"), 12u);
  EXPECT_TRUE(line.has_flag('x') && line.has_flag('T') && !line.has_flag('b'));
  EXPECT_EQ(line.value("addr"), "127.0.0.1:5");
  EXPECT_EQ(line.number("addr"), 127u);
  EXPECT_EQ(line.value("lib-name"), "");
  EXPECT_EQ(line.number("cmd"), std::nullopt);
  EXPECT_EQ(line.number("net-in"), std::nullopt);
}

TEST(ClientLine, each_line_of_a_list_is_visited_once) {
  std::vector<std::uint64_t> ids;
  for_each_client("id=1 x\nid=22 x\nid=3",
                  [&](const ClientLine& line) { ids.push_back(line.number("id").value_or(0)); });
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{1, 22, 3}));
}

constexpr std::string_view kInfo =
    "# Persistence\r\nrdb_changes:1\r\nrdb_changes_since_last_save:23\r\nx_rdb_changes_since_last_save:4\r\nempty:\r\n";
constexpr std::string_view kKeyspace =
    "# "
    "Keyspace\r\ndb0:keys=5,expires=1,avg_ttl=0\r\ndb2:keys=0,expires=0\r\ndb1999999:keys=77,expires=0\r\ndb3:expires="
    "9\r\n";

TEST(Info, a_field_is_a_whole_line) {
  EXPECT_EQ(info_number(kInfo, "rdb_changes_since_last_save"), 23u);
  EXPECT_EQ(info_number(kInfo, "rdb_changes"), 1u);
  EXPECT_EQ(info_number(kInfo, "changes"), std::nullopt);
  EXPECT_EQ(info_number(kInfo, "empty"), std::nullopt);
  EXPECT_EQ(info_number("", "empty"), std::nullopt);
  EXPECT_EQ(info_databases(kKeyspace), (DatabaseSizes{{0, 5}, {1999999, 77}}));
}

TEST(SlotRanges, are_read_and_what_is_none_is_left) {
  EXPECT_EQ(slot_ranges("0-99 200-200"), (std::vector<SlotRange>{{0, 99}, {200, 200}}));
  EXPECT_EQ(slot_ranges("5 -7 9- 3-2 1-16384 x-1 8-9 "), (std::vector<SlotRange>{{8, 9}}));
  EXPECT_EQ(slot_ranges(""), std::vector<SlotRange>());
}

// Each view ends where its memory does, so that a sanitizer sees who reads on.
TEST(Info, what_is_cut_anywhere_or_noise_is_read_as_far_as_it_goes) {
  std::mt19937 random(std::random_device{}());
  auto read = [](const std::vector<char>& bytes) {
    std::string_view text(bytes.data(), bytes.size());
    info_number(text, "rdb_changes_since_last_save");
    slot_ranges(text);
    for (auto [db, keys] : info_databases(text)) EXPECT_GT(keys, 0u) << db;
    for_each_client(text, [](const ClientLine& line) { line.number("tot-net-in"), line.has_flag('x'); });
  };
  for (std::string_view text : {kLine, kInfo, kKeyspace})
    for (std::size_t size = 0; size <= text.size(); ++size) {
      std::vector<char> bytes(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
      read(bytes);
      for (int i = 0; i < 20 && !bytes.empty(); ++i) {
        bytes[random() % bytes.size()] = "\n =:,0d\xff"[random() % 8];
        read(bytes);
      }
    }
}

}  // namespace
}  // namespace tenants
