#include "module/accounting/arriving.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace tenants {
namespace {

using Taken = std::map<std::tuple<int, std::uint32_t>, std::int64_t>;  // by database and row

std::pair<bool, Taken> end(Arriving& arriving, std::vector<SlotRange> slots) {
  Taken taken;
  bool certain = arriving.end(slots, [&](int db, std::uint32_t row, std::int64_t keys) { taken[{db, row}] += keys; });
  return {certain, taken};
}

void begin(Arriving& arriving, std::vector<SlotRange> slots, bool from_start = true) {
  arriving.begin(slots, from_start);
}

TEST(Arriving, slots_are_the_servers) {  // as CLUSTER KEYSLOT says
  EXPECT_EQ(key_slot(""), 0);
  EXPECT_EQ(key_slot("123456789"), 0x31c3);
  EXPECT_EQ(key_slot("foo"), 12182);
  EXPECT_EQ(key_slot("{06S}"), 0);
  EXPECT_EQ(key_slot("a{foo}b{bar}"), 12182);
  EXPECT_NE(key_slot("a{}foo"), key_slot("foo"));  // nothing between them: all of it
  EXPECT_NE(key_slot("{foo"), key_slot("foo"));
  EXPECT_EQ(key_slot("}{foo}"), 12182);
}

TEST(Arriving, each_import_ends_with_its_own_keys) {
  Arriving arriving;
  begin(arriving, {{0, 99}, {200, 200}});
  begin(arriving, {{12182, 12182}});
  std::uint8_t first = arriving.import_of("{06S}"), second = arriving.import_of("foo");
  EXPECT_NE(first, second);
  EXPECT_EQ(arriving.import_of("123456789"), Arriving::kNone);
  arriving.add(first, 0, 5, 3);
  arriving.add(first, 7, 5, 1);
  arriving.add(first, 0, 6, 1);
  arriving.add(first, 0, 6, -1);
  arriving.add(second, 0, 5, 4);
  EXPECT_EQ(end(arriving, {{0, 99}, {200, 200}}), (std::pair{true, Taken{{{0, 5}, 3}, {{7, 5}, 1}}}));
  EXPECT_EQ(arriving.import_of("{06S}"), Arriving::kNone);
  EXPECT_FALSE(arriving.none());
  EXPECT_EQ(end(arriving, {{12182, 12182}}), (std::pair{true, Taken{{{0, 5}, 4}}}));
  EXPECT_TRUE(arriving.none());
  EXPECT_TRUE(arriving.empty());
}

TEST(Arriving, an_import_that_is_not_known_from_its_start_on_brings_nothing_certain) {
  Arriving arriving;
  begin(arriving, {{0, 9}}, false);
  arriving.add(arriving.import_of("{06S}"), 0, 5, -3);
  EXPECT_EQ(end(arriving, {{0, 9}}), (std::pair{false, Taken{}}));
  EXPECT_EQ(end(arriving, {{0, 9}}), (std::pair{false, Taken{}})) << "one that nobody told of";
}

TEST(Arriving, what_is_known_already_is_not_doubted_when_it_is_learned_once_more) {
  Arriving arriving;
  begin(arriving, {{0, 9}});
  begin(arriving, {{0, 9}}, false);
  EXPECT_TRUE(end(arriving, {{0, 9}}).first);
  EXPECT_TRUE(arriving.none());
}

TEST(Arriving, moved_and_flushed_keys) {
  Arriving arriving;
  begin(arriving, {{0, 9}});
  std::uint8_t import = arriving.import_of("{06S}");
  for (std::uint32_t row : {5u, 6u, 7u})
    for (int db : {0, 1}) arriving.add(import, db, row, row);
  arriving.move(std::vector<std::uint32_t>{5, 7}, 1);
  arriving.clear(1);
  EXPECT_EQ(end(arriving, {{0, 9}}), (std::pair{true, Taken{{{0, 1}, 12}, {{0, 6}, 6}}}));
  begin(arriving, {{0, 9}});
  arriving.doubt();
  EXPECT_FALSE(end(arriving, {{0, 9}}).first);
  begin(arriving, {{0, 9}});
  EXPECT_TRUE(end(arriving, {{0, 9}}).first) << "a doubt ends with its import";
}

TEST(Arriving, beyond_its_bounds_an_import_is_uncertain) {
  auto arriving = std::make_unique<Arriving>();
  for (int slot = 0; slot < 300; ++slot) begin(*arriving, {{slot, slot}});
  for (int slot = 0; slot < 300; ++slot) EXPECT_EQ(end(*arriving, {{slot, slot}}).first, slot < Arriving::kMost);
  EXPECT_TRUE(arriving->none());
  begin(*arriving, {{0, 0}});
  for (std::uint32_t row = 0; row <= Arriving::kMostRecords; ++row) arriving->add(1, 0, row, 1);
  EXPECT_FALSE(end(*arriving, {{0, 0}}).first);
  EXPECT_TRUE(arriving->empty());
}

TEST(Arriving, ranges_that_no_server_has_do_no_harm) {
  Arriving arriving;
  for (bool from_start : {true, false}) {
    begin(arriving, {{-5, 3}, {16380, 99999}, {7, 2}}, from_start);
    end(arriving, {{-5, 3}, {16380, 99999}, {7, 2}});
    EXPECT_TRUE(arriving.none());
  }
}

}  // namespace
}  // namespace tenants
