// What the parts of the hot path cost, without a server around them.
//
//   build/release/micro
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "module/accounting/clients.h"
#include "module/accounting/commands.h"
#include "module/accounting/escape.h"
#include "module/accounting/glob.h"
#include "module/accounting/keyspace.h"
#include "module/accounting/prefixes.h"
#include "module/accounting/users.h"

namespace tenants {
namespace {

constexpr std::size_t kMany = 1 << 12;

std::uint64_t next_random(std::uint64_t& state) {  // splitmix64
  std::uint64_t x = state += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  return x ^ x >> 31;
}

// Clients of increasing ids, looked up in random order.
void find_client(benchmark::State& state) {
  auto size = static_cast<std::uint64_t>(state.range(0));
  ClientTable clients;
  for (std::uint64_t id = 1; id <= size; ++id) clients.insert(id);
  std::uint64_t coins = 1;
  std::vector<std::uint64_t> ids(kMany);
  for (std::uint64_t& id : ids) id = next_random(coins) % size + 1;
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(clients.find(ids[i++ % kMany]));
}
BENCHMARK(find_client)->Arg(10)->Arg(1'000)->Arg(100'000);

void connect_and_disconnect(benchmark::State& state) {
  ClientTable clients;
  std::uint64_t id = 0;
  for (; id < 10'000; ++id) clients.insert(id + 1);
  for (auto _ : state) {
    clients.insert(++id);
    clients.erase(id - 5'000);
  }
}
BENCHMARK(connect_and_disconnect)->Iterations(1'000'000);

void find_command(benchmark::State& state) {
  CommandTable commands;
  const std::string_view names[] = {"GET", "set", "HSET", "LRANGE", "EXPIRE", "smembers", "INCR", "nosuch"};
  for (std::string_view name : names) {
    if (name == "nosuch") continue;
    commands.add(name, Kind::kRead, -2, 0);
    commands.number_of(*commands.find(name));
  }
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(commands.find_plain(names[i++ % 8]));
}
BENCHMARK(find_command);

// One row after the other is the worst case: many tenants in turn.
void count_command(benchmark::State& state) {
  auto size = static_cast<std::uint32_t>(state.range(0));
  UserTable users(size);
  for (std::uint32_t i = 0; i < size; ++i) users.add("user" + std::to_string(i));
  std::uint32_t row = 0;
  for (auto _ : state) {
    users[UserTable::kFirst + row].count(7, Kind::kRead);
    if (++row == size) row = 0;
  }
}
BENCHMARK(count_command)->Arg(16)->Arg(1'000)->Arg(100'000);

PrefixTable table_of(std::size_t prefixes) {
  PrefixTable table(2 * prefixes, ":", 1);
  for (std::size_t i = 0; i < prefixes; ++i) table.enter_acl("app" + std::to_string(i) + ":", Covers::kBelow);
  return table;
}

std::vector<std::string> keys_of(std::size_t prefixes) {
  std::uint64_t coins = 2;
  std::vector<std::string> keys(kMany);
  for (std::string& key : keys)
    key = "app" + std::to_string(next_random(coins) % prefixes) + ":item:" + std::to_string(next_random(coins) % 1000);
  return keys;
}

void match_prefix(benchmark::State& state) {
  auto size = static_cast<std::size_t>(state.range(0));
  PrefixTable table = table_of(size);
  std::vector<std::string> keys = keys_of(size);
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(table.match(0, keys[i++ % kMany]));
}
BENCHMARK(match_prefix)->Arg(10)->Arg(1'000)->Arg(100'000);

void match_orphan(benchmark::State& state) {
  PrefixTable table(1'000, ":", 1);
  std::vector<std::string> keys = keys_of(100);
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(table.match(0, keys[i++ % kMany]));
}
BENCHMARK(match_orphan);

// The last of so many patterns that have one head, or none of them.
void match_pattern(benchmark::State& state) {
  PrefixTable table(1'000, ":", 1);
  for (std::int64_t i = 0; i < state.range(0); ++i)
    table.enter_acl("t:*:cache" + std::to_string(100 + i) + ":*", Covers::kMatching);
  std::string key =
      state.range(1) ? "t:4711:cache" + std::to_string(99 + state.range(0)) + ":item:17" : "t:4711:queue:item:17";
  for (auto _ : state) benchmark::DoNotOptimize(table.match(0, key));
}
BENCHMARK(match_pattern)->ArgsProduct({{1, 64}, {0, 1}});

void count_key(benchmark::State& state) {
  PrefixTable table = table_of(1'000);
  Keyspace keyspace(table, true, 1);
  std::vector<std::string> keys = keys_of(1'000);
  std::size_t i = 0;
  for (auto _ : state) {
    keyspace.appeared(0, keys[i % kMany]);
    keyspace.vanished(0, keys[i++ % kMany]);
  }
}
BENCHMARK(count_key);

void escape_name(benchmark::State& state) {
  std::string plain = "orders-eu-west_1", hostile = "a,b=c\r\n\"\xff:%";
  const std::string& name = state.range(0) ? hostile : plain;
  for (auto _ : state) benchmark::DoNotOptimize(escape(name));
}
BENCHMARK(escape_name)->ArgName("hostile")->Arg(0)->Arg(1);

// The second one takes exponential time where the stars are tried one within the other.
void match_glob(benchmark::State& state) {
  std::string name(200, 'a');
  std::string_view pattern = state.range(0) ? "*a*a*a*a*a*a*a*a*b" : "aaa*";
  for (auto _ : state) benchmark::DoNotOptimize(matches(pattern, name));
}
BENCHMARK(match_glob)->ArgName("hostile")->Arg(0)->Arg(1);

}  // namespace
}  // namespace tenants
