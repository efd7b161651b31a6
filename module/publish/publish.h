// What we say: INFO, TENANTS.* and the configuration.
#pragma once

#include <utility>
#include <vector>

#include "module/module.h"

namespace tenants {

// info.cc
void on_info(server_api::InfoContext* info, int for_crash_report) noexcept;

// rows.cc
struct Row {
  std::string_view name;  // as it is, or the module's own: "(other)"
  const char* kind;       // tenant, orphans, other, internal
  std::uint64_t users = 0, prefixes = 0, connections = 0, commands = 0, reads = 0, writes = 0, keys = 0;
  std::optional<std::uint64_t> cpu_usec, bytes;
  std::uint64_t position = 0;  // of a tenant: the same for as long as the module is loaded
};
struct PrefixRow {
  std::uint64_t keys = 0;
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> bytes_error;
  double coverage = 0;                                          // share of the keys that were measured
  std::optional<std::uint64_t> keys_without_ttl, avg_ttl_msec;  // of the last pass
};
// What the server uses, and of that what no key owns: tables, buffers, its start, this module.
struct MemoryUse {
  std::uint64_t used = 0, overhead = 0;
};
// From MEMORY STATS; nothing where the server refuses it. Some 20 µs.
std::optional<MemoryUse> memory_use(const Module& module);

// Every tenant, in the order in which they came to be known, then the module's own rows. O(users + prefixes).
std::vector<Row> tenant_rows(const Module& module, const std::optional<MemoryUse>& memory);
// What the last complete pass saw of the prefix, or the one that runs if that saw nothing; null: neither did.
const Measured* latest(const Module& module, std::uint32_t row);
PrefixRow prefix_row(const Module& module, std::uint32_t row);
// The counters of a user, in the order of INFO; what this server cannot tell is left out. O(1).
std::vector<std::pair<const char*, std::uint64_t>> user_fields(const Module& module, std::uint32_t row);
// CPU time of the main thread; nothing where it is not sampled.
std::optional<std::uint64_t> cpu_usec(const Module& module, std::uint32_t row);
// Counters of users start anew. O(users + connections).
void reset_counters(Module& module);
// With three decimals, rounded down.
std::string decimal(double value);
// The fields of "# tenants_status" in order. O(users + prefixes).
std::vector<std::pair<std::string_view, std::string>> status(Module& module, const std::optional<MemoryUse>& memory);

// commands.cc
bool register_commands(server_api::Context* context);

// config.cc
// Reads loadmodule's arguments into `settings`; what is wrong with them, or nothing.
std::optional<std::string> read_arguments(server_api::String** argv, int argc, Settings& settings);
bool register_configuration(server_api::Context* context, Settings& settings);
// From now on changes go to the module's own settings.
void use_settings(Settings& settings);
// What a reading of the configuration left behind; on unload.
void free_configuration();

}  // namespace tenants
