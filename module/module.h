// The module's state, one object from OnLoad to OnUnload. Main thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "module/accounting/acl_changes.h"
#include "module/accounting/attribution.h"
#include "module/accounting/bytes.h"
#include "module/accounting/call_stack.h"
#include "module/accounting/clients.h"
#include "module/accounting/commands.h"
#include "module/accounting/keyspace.h"
#include "module/accounting/owners.h"
#include "module/accounting/prefixes.h"
#include "module/accounting/seen_databases.h"
#include "module/accounting/settings.h"
#include "module/accounting/shared_use.h"
#include "module/accounting/users.h"
#include "module/accounting/writes.h"
#include "module/hooks/acl_reading.h"
#include "module/hooks/identity.h"
#include "module/publish/tally.h"
#include "module/sampling/core_wait.h"
#include "module/sampling/sampler.h"
#include "module/server_queries.h"
#include "module/sweep/places.h"
#include "module/sweep/sweep.h"
#include "module/tick.h"
#include "server_api/call.h"

namespace tenants {

inline constexpr int kVersion = 100;  // 0.1.0
inline constexpr const char* kVersionText = "0.1.0";

// The EXEC after a WATCH that was counted last: does it run? Known when the next command begins.
struct WatchedExec {
  std::uint64_t client = 0;                // 0: nothing to find out
  std::optional<std::uint64_t> processed;  // commands that the server had processed before it
};

// From how many microseconds on the server logs a command; below 0: none.
struct SlowLogConfig {
  long long usec = -1;
  std::optional<long long> sent;  // what the CONFIG SET that was seen last makes of it, if it runs
  // Calls as short as ours, which would be in the log, and leave no room for the clients' commands.
  bool has_ours() const { return usec >= 0 && usec < 100; }
};

struct Module {
  Module(server_api::Context* context, server_api::Server server, Settings settings, std::uint64_t seed, bool live);

  // What the filter touches at every command comes first, and lies in four cache lines (hooks/commands_test.cc):
  // `clients` begins with what is needed of it, `users` ends with it where `commands` begins, `lookups` ends with it;
  // `cpu` has a line of its own.
  alignas(64) std::uint64_t last_id = Client::kNoId;  // of the client whose command the filter saw last
  Client* last_client = nullptr;
  const CommandEntry* last_command = nullptr;
  bool lost_queued = false;          // memory ran out at a command that the server may have queued: nobody knows which
  bool may_nest = false;             // the command that runs is a module's: it may call others
  bool called_with_last_id = false;  // a call inside the command that runs came with the id of its client
  bool exec_elsewhere = false;       // EXEC runs, and may change keys of other databases than its client's
  bool in_call = false;              // the filter was last called for a call by a module, or a script
  bool tells_refusals;               // the server tells of refused commands: 9.1+
  std::atomic<bool> behind{true};    // something is to be done before the next command counts (hooks/commands.cc)
  ClientTable clients;
  UserTable users;
  CommandTable commands;
  LookupSampler lookups;
  Identity identity{*this};
  CpuSampler cpu;

  server_api::Server server;
  Settings settings;
  server_api::DetachedContext context;
  ServerQueries ask;
  Attribution attribution;
  PrefixTable prefixes;
  Owners owners;
  Keyspace keyspace;

  // hooks/command_table.cc
  std::vector<WriteCommand> writes;
  // hooks/commands.cc
  std::vector<server_api::String*> arguments;  // of a command that is looked at
  SharedUse shared_use;
  std::uint64_t call_id = 0;  // of the client of the pool that the last such call was made with; may be a real one's
  CallStack stack;
  bool nesting_confirmed = false;
  WatchedExec watched_exec;
  // hooks/bytes.cc
  Bytes bytes;
  // hooks/config.cc
  SlowLogConfig slow_log;

  // hooks/keyspace.cc
  bool loading_aside = false;
  std::uint64_t key_events = 0;  // keys that came or went, flushes
  bool found_keys = false;       // keys were there before this module, or came with a data set
  bool loaded = false;           // a data set was loaded, or an import aborted: look whether the counts add up
  bool names_are_measured;       // MEMORY USAGE counts the key's name; on 8.1 only of short strings

  AclChanges acl_changes;
  AclReading acl{*this};
  SeenDatabases databases;
  Sweep sweep;
  Places places;
  Tick tick{*this};
  CoreWait core_wait;            // of the main thread
  bool named_lack_room = false;  // there are names of tenants.prefixes without a row
  Tallies tallies;
  std::uint64_t loaded_usec = 0;
  std::int64_t started_unix_msec = 0, reset_unix_msec = 0;
  std::uint64_t allocated_at_start = 0;  // by this module, and taken for the server's own since
  std::uint64_t rejected_before = 0;     // connections, when the counters began

  // The row of this user, made where it has none: a free one, else one of a user long gone, else "(other)".
  std::uint32_t row_for(std::string_view name);
  // CPU time of the main thread for this row since its counters began.
  std::uint64_t cpu_nanoseconds(std::uint32_t row) const { return cpu.nanoseconds(row) - users[row].cpu_before; }
};

// A command of this module's own.
inline bool is_ours(std::string_view command) { return command.starts_with("tenants."); }

inline Module* module_state = nullptr;

inline constexpr std::uint64_t kSecond = 1'000'000;  // in microseconds
std::uint64_t monotonic_usec();
std::uint64_t thread_cpu_usec();  // of this thread so far

}  // namespace tenants
