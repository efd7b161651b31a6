#include <algorithm>

#include "module/publish/publish.h"
#include "server_api/allocator.h"

namespace tenants {

using server_api::api;

std::optional<MemoryUse> memory_use(const Module& module) {
  std::optional<MemoryStats> stats = module.ask.memory();
  if (!stats) return std::nullopt;
  // What the server's overhead has in it and MEMORY USAGE, too: on 8.0 the entries of the tables of keys (dictEntry),
  // from 9.0 on an entry for each key and for each with a TTL, which are the keys themselves. 8.1's MEMORY USAGE lacks
  // them.
  std::uint64_t twice = 0;
  if (!module.server.valkey_at_least(8, 1)) twice = 40 * stats->keys;
  if (module.server.valkey_at_least(9, 0)) twice = stats->tables - std::min(stats->tables, stats->buckets);
  std::uint64_t overhead = stats->overhead - std::min(stats->overhead, twice);
  std::uint64_t own = server_api::allocated_bytes();
  return MemoryUse{stats->used, overhead + own - std::min(own, module.allocated_at_start)};
}

std::vector<std::pair<std::string_view, std::string>> status(Module& module, const std::optional<MemoryUse>& memory) {
  const Sweep& sweep = module.sweep;
  const Tally& tally = module.tallies.last();
  const Totals& totals = tally.totals;
  std::uint64_t now = monotonic_usec();
  const char* modes[] = {"exact", "seeding", "swept"};
  const char* states[] = {"waiting", "running", "paused", "off"};
  std::string server = module.server.flavour == server_api::Flavour::kValkey ? "valkey " : "redis ";
  int version = module.server.version;
  server +=
      std::to_string(version >> 16) + "." + std::to_string(version >> 8 & 255) + "." + std::to_string(version & 255);
  const PassSchedule& schedule = sweep.schedule();
  double progress = schedule.under_way() ? sweep.progress() : 1;
  if (schedule.began_usec() == 0) progress = 0;

  std::vector<std::pair<std::string_view, std::string>> fields;
  auto add = [&](std::string_view name, auto value) {
    if constexpr (std::is_arithmetic_v<decltype(value)>)
      fields.emplace_back(name, std::to_string(value));
    else
      fields.emplace_back(name, value);
  };
  add("version", kVersionText);
  add("server", server);
  add("uptime_seconds", (now - module.loaded_usec) / 1'000'000);
  add("start_unix_seconds", module.started_unix_msec / 1000);
  add("reset_unix_seconds", module.reset_unix_msec / 1000);
  add("keys_mode", modes[static_cast<int>(module.keyspace.mode())]);
  add("users", module.users.in_use());
  add("users_capacity", module.users.capacity());
  add("prefixes", module.prefixes.in_use());
  add("prefixes_capacity", module.prefixes.capacity());
  add("connections", totals.connections);
  if (std::optional<std::uint64_t> rejected = module.ask.statistic("rejected_connections")) {
    if (*rejected < module.rejected_before) module.rejected_before = 0;  // CONFIG RESETSTAT
    add("connections_rejected", *rejected - module.rejected_before);
  }
  add("commands", totals.commands);
  if (totals.cpu_usec != kAbsent) {
    add("cpu_usec", totals.cpu_usec);
    add("cpu_looks_late", module.cpu.looks_late());
    if (std::optional<std::uint64_t> waited = module.core_wait.waited()) add("cpu_waited_usec", *waited / 1000);
  }
  add("keys", totals.keys);
  bool known = totals.bytes != kAbsent;
  if (known) add("bytes", totals.bytes);
  if (memory) {
    add("server_memory_bytes", memory->used);
    add("overhead_bytes", memory->overhead);
    if (known) add("unexplained_bytes", static_cast<std::int64_t>(memory->used - memory->overhead - totals.bytes));
  }
  add("orphan_keys", totals.orphan_keys);
  add("acl", !module.acl.readable() ? "unreadable" : module.acl.wanted() ? "reading" : "ok");
  add("sweep_state", states[static_cast<int>(schedule.state())]);
  if (schedule.state() == PassSchedule::State::kPaused) add("sweep_paused_by", schedule.paused_by());
  add("sweep_passes", sweep.passes());
  add("sweep_progress", decimal(static_cast<std::uint64_t>(progress * 1000)));
  if (sweep.passes()) add("sweep_age_seconds", (now - schedule.ended_usec()) / 1'000'000);
  if (module.places.period()) add("sample_keys", static_cast<std::uint64_t>(module.places.met()));
  add("sweep_keys_measured", sweep.spent().keys_measured);
  add("sweep_cpu_usec", sweep.spent().cpu_usec);
  add("sweep_slices", sweep.spent().slices);
  add("sweep_slices_long", sweep.spent().long_slices);
  add("sweep_longest_slice_usec", sweep.spent().longest_slice_usec);
  add("sweep_longest_slice_cpu_usec", sweep.spent().longest_slice_cpu_usec);
  add("drift", module.keyspace.drift());
  add("bytes_missed", module.bytes.missed());
  add("users_dropped", module.users.dropped());
  add("prefixes_dropped", module.prefixes.dropped());
  add("users_reused", module.users.reused());
  add("tally_age_msec", (now - tally.usec) / 1000);
  add("tally_usec", tally.cost_usec);
  add("memory_bytes", server_api::allocated_bytes());
  return fields;
}

}  // namespace tenants
