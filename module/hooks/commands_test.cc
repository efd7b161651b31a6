// Where the filter's state lies: with thousands of connections every command finds the caches cold, and each cache line
// that it touches costs it.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "module/module.h"

namespace tenants {
namespace {

constexpr std::size_t kLine = 64;

struct Field {
  const char* name;
  std::size_t offset, size;  // in Module
};

#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // a fact of this compiler is what is asked for
constexpr std::size_t kUsersEnd = offsetof(Module, users) + sizeof(UserTable);
constexpr std::size_t kLookupsEnd = offsetof(Module, lookups) + sizeof(LookupSampler);
// What on_command() reads or writes for a plain command. Of private members their places, as their classes say.
constexpr Field kTouched[] = {
    {"last_id to behind", offsetof(Module, last_id), offsetof(Module, behind) + 1 - offsetof(Module, last_id)},
    {"clients: lines", offsetof(Module, clients), 32},
    {"users: rows", kUsersEnd - sizeof(std::vector<User>), 8},
    {"commands: mask, entries", offsetof(Module, commands), 16},
    {"lookups: left", kLookupsEnd - 8, 8},
    {"cpu: sequence, now", offsetof(Module, cpu), 24},
};

TEST(Filter, its_state_lies_in_four_cache_lines_and_each_command_touches_four_more) {
  std::set<std::size_t> lines;
  for (auto [name, offset, size] : kTouched) {
    std::printf("%-24s at %4zu, %2zu bytes: line %zu\n", name, offset, size, offset / kLine);
    for (std::size_t at = offset; at < offset + size; ++at) lines.insert(at / kLine);
  }
  EXPECT_EQ(alignof(Module), kLine);
  EXPECT_EQ(lines.size(), 4u);

  // Of its client, its command and its user one each, and the user's counter of this command.
  EXPECT_EQ(kLine % alignof(Client), 0u);
  EXPECT_EQ(sizeof(Client), alignof(Client));
  EXPECT_EQ(kLine % alignof(CommandEntry), 0u);
  EXPECT_EQ(sizeof(CommandEntry), alignof(CommandEntry));
  EXPECT_EQ(alignof(User), kLine);
  EXPECT_LE(offsetof(User, commands) + sizeof(User::commands), kLine);
}

}  // namespace
}  // namespace tenants
