#include "module/accounting/commands.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>

namespace tenants {
namespace {

TEST(CommandTable, finds_names_in_any_case) {
  CommandTable table;
  table.add("get", Kind::kRead, 2, 0);
  table.add("georadiusbymember_ro", Kind::kRead, -5, 0);
  table.add("georadiusbymember", Kind::kWrite, -5, 0);
  ASSERT_NE(table.find("GeT"), nullptr);
  EXPECT_EQ(table.find("GEORADIUSBYMEMBER")->kind, Kind::kWrite);
  EXPECT_EQ(table.find("GeoRadiusByMember_RO")->kind, Kind::kRead);
  for (const char* unknown : {"", "ge", "gett", "georadiusbymembe", "GEORADIUSBYMEMBER_"})
    EXPECT_EQ(table.find(unknown), nullptr) << unknown;
  EXPECT_EQ(table.find(std::string(100'000, 'g')), nullptr);
}

TEST(CommandTable, a_name_that_comes_again_replaces_the_first_in_every_case) {
  CommandTable table;
  for (const char* name : {"get", "zrangebyscore", "2fa"}) table.add(name, Kind::kRead, 2, 0);
  table.add("GeT", Kind::kWrite, 3, CommandEntry::kMulti);
  table.add("ZrangeByScore", "renamed", Kind::kWrite, 3, CommandEntry::kMulti);
  EXPECT_EQ(table.size(), 3u);
  for (const char* name : {"get", "GET", "gEt", "zrangebyscore", "ZRANGEBYSCORE", "zRangeByScore", "ZRANGEBYscore"}) {
    ASSERT_NE(table.find(name), nullptr) << name;
    EXPECT_EQ(table.find(name)->arity, 3) << name;
    EXPECT_TRUE(table.find(name)->special & CommandEntry::kMulti) << name;
  }
  EXPECT_EQ(table.name(*table.find("ZRANGEBYSCORE")), "renamed");
  EXPECT_EQ(table.number_of(*table.find("zrangebyscore")), table.number_of(*table.find("ZRANGEBYSCORE")));
  EXPECT_EQ(table.find("2FA")->arity, 2);
}

TEST(CommandTable, a_byte_that_only_folds_to_a_letter_is_another_name) {
  CommandTable table;
  table.add("a|b", Kind::kRead, 2, 0);
  EXPECT_EQ(table.find("a\\b"), nullptr);  // '\' with bit 5 set is '|'
}

TEST(CommandTable, finds_subcommands) {
  CommandTable table;
  table.add("config|get", Kind::kOther, -3, 0);
  EXPECT_NE(table.find("CONFIG", "Get"), nullptr);
  EXPECT_EQ(table.find("CONFIG", "Nope"), nullptr);
  EXPECT_EQ(table.find("CONFIG", std::string(1000, 'x')), nullptr);
}

TEST(CommandTable, grows_and_keeps_every_name) {
  CommandTable table;
  for (int i = 0; i < 5000; ++i) table.add("command" + std::to_string(i), Kind::kRead, i, 0);
  EXPECT_EQ(table.size(), 5000u);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(table.find("COMMAND" + std::to_string(i))->arity, i);
}

TEST(CommandTable, a_number_belongs_to_the_servers_own_name_and_outlives_the_entries) {
  CommandTable table;
  table.add("fetch", "get", Kind::kRead, 2, 0);
  table.add("set", Kind::kWrite, -3, 0);
  std::uint16_t set = table.number_of(*table.find("SET")), get = table.number_of(*table.find("FETCH"));
  EXPECT_NE(set, get);
  EXPECT_EQ(table.number_of(*table.find("set")), set);
  EXPECT_EQ(table.counted(get).name, "get");
  EXPECT_EQ(table.counted(set).kind, Kind::kWrite);
  table.clear();
  table.add("get", Kind::kRead, 2, 0);
  EXPECT_EQ(table.number_of(*table.find("get")), get);
}

TEST(CommandTable, to_forget_its_entries_takes_no_memory) {
  CommandTable table;
  table.add("get", Kind::kRead, 2, 0);
  auto forget_without_memory = [&] {
    rlimit none{0, 0};
    if (setrlimit(RLIMIT_AS, &none) != 0) _exit(2);
    void* volatile taken = nullptr;  // or the compiler would leave it out
    for (std::size_t bytes = std::size_t{1} << 20; bytes >= 16; bytes /= 2) {
      do taken = std::malloc(bytes);
      while (taken);
    }
    table.clear();
    _exit(table.size() == 0 && !table.find("get") && !table.find_plain("GET") ? 0 : 1);
  };
  EXPECT_EXIT(forget_without_memory(), testing::ExitedWithCode(0), "");
}

TEST(CommandTable, commands_beyond_the_numbers_share_the_first) {
  CommandTable table;
  for (std::size_t i = 0; i < CommandTable::kMostNumbers + 10; ++i) {
    std::string name = "command" + std::to_string(i);
    table.add(name, Kind::kRead, 1, 0);
    EXPECT_EQ(table.number_of(*table.find(name)), i + 1 < CommandTable::kMostNumbers ? i + 1 : 0);
  }
  EXPECT_EQ(table.counted(0).name, "(other)");
}

TEST(CommandTable, arity_is_exact_or_a_minimum) {
  EXPECT_TRUE((CommandEntry{.arity = 2}.accepts(2)));
  EXPECT_FALSE((CommandEntry{.arity = 2}.accepts(3)));
  EXPECT_TRUE((CommandEntry{.arity = -2}.accepts(9)));
  EXPECT_FALSE((CommandEntry{.arity = -2}.accepts(1)));
}

}  // namespace
}  // namespace tenants
