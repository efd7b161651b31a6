// What the module asks the server by calls of commands: all of it stands here, but for what a page of TENANTS.* needs
// none of. Any of it may be refused (renamed, loading, a replica without its primary): then there is nothing.
//
// Such calls are seen by MONITOR, slow logs and commandstats: docs/operating.md names them. Main thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "module/accounting/keyspace.h"
#include "server_api/call.h"

namespace tenants {

// Of INFO persistence.
struct Saves {
  std::uint64_t changes, saved;  // since the last one; when that was
};

// Of MEMORY STATS, in bytes.
struct MemoryStats {
  std::uint64_t used = 0;
  std::uint64_t overhead = 0;  // all that is no key and no value
  std::uint64_t tables = 0;    // of it: of keys, by database
  std::uint64_t buckets = 0;   // of these: what does not grow with each key
  std::uint64_t keys = 0;      // not bytes
};

class ServerQueries {
 public:
  explicit ServerQueries(server_api::Context* context) : context_(context) {}

  // CLIENT LIST. Some 3 µs for each client; where it is asked for by its id, from 8.1 on 0.03 µs for each other one.
  server_api::Reply clients() const;
  server_api::Reply clients(const std::vector<server_api::OwnedString>& ids) const;
  server_api::Reply client(std::uint64_t id) const;
  server_api::Reply links_to_primaries() const;

  // ACL GETUSER: null where there is no such user. Some 10 µs, and what its rules take.
  server_api::Reply user(std::string_view name) const;
  server_api::Reply user_names() const;
  server_api::Reply acl() const;  // all rules
  // ACL DRYRUN: may the user run this command, words and all? Nothing where the server does not say. Some 2 µs.
  std::optional<bool> may_run(std::string_view user, std::span<const std::string_view> words) const;

  // COMMAND; some 600 µs. COMMAND INFO.
  server_api::Reply commands() const;
  server_api::Reply command(server_api::String* name) const;

  // A number of INFO stats. Some 5 µs.
  std::optional<std::uint64_t> statistic(std::string_view field) const;
  // Keys of each database, from INFO keyspace: selecting a database that is not in use would allocate it.
  std::optional<DatabaseSizes> databases() const;
  std::optional<Saves> saves() const;
  std::optional<MemoryStats> memory() const;
  // Of CLUSTER GETSLOTMIGRATIONS (9.0+): those that move to this node now.
  std::vector<SlotRange> importing_slots() const;
  // MEMORY USAGE. Some 0.4 µs, and 10 ns for each element that is looked at; `samples` 0: all.
  std::optional<std::uint64_t> memory_usage(server_api::String* key, long long samples) const;
  // From how many microseconds on the slow log takes a command.
  std::optional<long long> slow_log_usec() const;

  // For each command that was ever called the server keeps 24 kB of latencies, to be had at once: a server close to its
  // maxmemory would refuse writes when the first string is measured. So it gets them now, where nothing is there yet.
  void call_once() const;

 private:
  server_api::Context* context_;
};

}  // namespace tenants
