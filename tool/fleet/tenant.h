// All that is known of one tenant, over all servers.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "tool/fleet/fleet.h"
#include "tool/snapshot/sum.h"

namespace tenants::tool {

struct SlowCommand {
  std::string command, node;
  std::uint64_t cpu_usec = 0, unix_msec = 0;
};

struct BigKey {
  std::string key, prefix, type, node;
  std::uint64_t db = 0, bytes = 0;
};

// What its keys take in one database, over the sources of data.
struct TenantDatabase {
  std::uint64_t keys = 0, bytes = 0, bytes_error = 0;
};

// Who else uses a prefix: on all nodes together.
struct PrefixUse {
  bool may_write = false;               // besides the owner
  std::uint64_t reads = 0, writes = 0;  // since the reset, by a sample
};

// Its use in the last seconds, all nodes together: per second; nothing where a node cannot tell.
struct Trend {
  int window = 0;                                         // seconds
  double seconds = 0;                                     // the longest that a node looked back
  std::array<std::optional<double>, kMostColumns> rates;  // of counters
  std::optional<long long> keys_change, bytes_change;     // over the window, of the sources of data
};

struct TenantDetails {
  Snapshot nodes;  // all nodes; tables hold this tenant, its users and its prefixes
  Sum users, prefixes;
  Row tenant;                                         // over all nodes
  std::map<std::string, std::uint64_t> commands;      // by name
  std::vector<SlowCommand> slow;                      // the newest first
  std::vector<BigKey> big_keys;                       // the largest first
  bool big_keys_denied = false;                       // by the ACL of a node
  std::map<std::uint64_t, TenantDatabase> databases;  // by number; empty where a node cannot tell
  bool databases_known = true;
  // Of prefixes that several use: by name and kind, then by user; bytes as they are.
  std::map<std::pair<std::string, Kind>, std::map<std::string, PrefixUse>> uses;
  std::array<Trend, 3> trends{{{10}, {60}, {300}}};

  std::vector<std::pair<std::string, std::uint64_t>> most_called() const;  // the commands; equals by name
};

// Throws Failure kError where no node knows a tenant of this name. `big_keys`: ask for them, which the ACL may forbid.
TenantDetails read_tenant(Fleet& fleet, const std::string& name, bool big_keys = true);

}  // namespace tenants::tool
