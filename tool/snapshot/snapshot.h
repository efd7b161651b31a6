// What all servers of a fleet said at one moment. Plain values; nothing here talks to a server.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tool/client/failure.h"
#include "tool/snapshot/columns.h"

namespace tenants::tool {

enum class Kind : std::uint8_t {
  kTenant,  // of TENANTS.LIST; a user is that, too
  kGroup,   // several users as one tenant
  kGone,    // left the ACL
  kUser,
  kPrefix,
  kKey,        // a prefix that is one whole key
  kPattern,    // one that is more than a head: "t:*:cache:*"
  kElsewhere,  // orphans below a prefix, in databases where its pattern does not hold
  kUnknown,    // of a newer module
  kOrphans,    // from here on the module's own rows
  kNone,       // keys without a separator
  kOther,      // what fitted no row
  kInternal,   // the server's own work
  kOverhead,   // memory that no key owns
};
inline bool is_own(Kind kind) { return kind >= Kind::kOrphans; }
// A prefix may have the same name.
inline bool is_apart(Kind kind) { return kind == Kind::kKey || kind == Kind::kPattern || kind == Kind::kElsewhere; }
// As in TENANTS.LIST, USERS and PREFIXES: "tenant".
const char* kind_name(Kind kind);
Kind kind_of(std::string_view name);  // kUnknown where there is none of that name

struct Row {
  std::string name;  // bytes as they are, of anybody's making: shown_name() for people
  Kind kind = Kind::kTenant;
  std::string owner;  // of a prefix: the tenant it is billed to, or "(orphans)"; of a user: the tenant it is part of
  Values values = kNothingKnown;
};

// Percent-escaped, but for the module's own rows: "(other)". One to one, printable ASCII.
std::string shown_name(const Row& row);
// " (key)", " (pattern)" or " (elsewhere)" where it is one; else nothing.
std::string kind_suffix(Kind kind);
// For tables and labels, with the suffix.
std::string shown_title(const Row& row);
std::string shown_owner(const Row& row);

enum class Role : std::uint8_t { kUnknown, kPrimary, kReplica };
const char* role_name(Role role);  // "primary", "replica", "unknown"

struct Node {
  std::string address;  // as the operator or the cluster names it: "host:port" or a path; escape it for people
  std::string id;       // the same for as long as it is the same server: the cluster's node id, else the address
  std::string group;    // the name that the operator gave to the target it was found through; may be empty
  std::optional<std::size_t> cluster;  // the number of that target, if it led to others
  std::string shard;        // what all nodes with the same slots, or under one name of Sentinels, share; or empty
  std::uint32_t slots = 0;  // that it owns, as the cluster says
  std::uint32_t votes =
      0;  // of the nodes asked, so many say that it owns slots; or 1: Sentinels say that it is the primary
  std::optional<std::chrono::system_clock::time_point> answered;  // when it was up last, as far as is remembered
  std::string replication_id;  // where it is not up: as it was last, as far as is remembered
  bool up = false;
  Failure failure{Exit::kOk, ""};            // why it is not up
  double seconds = 0;                        // how long it took to answer, or to fail
  std::chrono::steady_clock::time_point at;  // when it had answered

  // All that follows is empty where it is not up.
  Role role = Role::kUnknown;
  bool data_source = false;                                   // its keys and memory count in sums (mark_data_sources)
  std::map<std::string, std::string, std::less<>> status;     // TENANTS.STATUS
  std::uint64_t used_memory = kAbsent, max_memory = kAbsent;  // bytes; absent where maxmemory is 0
  std::string run_id;                                         // of the process
  std::string previous_replication_id;
  std::uint64_t replication_offset = kAbsent;
  std::array<std::vector<Row>, kTables> tables;  // those that were asked for

  const std::vector<Row>& rows(Table table) const { return tables[static_cast<std::size_t>(table)]; }
  std::vector<Row>& rows(Table table) { return tables[static_cast<std::size_t>(table)]; }
  // Forgets what has been read.
  void fail(const Failure& why);
  // A number of its status; kAbsent where it is not there or none.
  std::uint64_t status_number(std::string_view name) const;
  // Empty where the module does not tell it.
  std::string_view status_text(std::string_view name) const;
  std::optional<double> sweep_progress() const;  // 0 to 1
};

struct Snapshot {
  std::vector<Node> nodes;  // in the order of the targets, then by address
  double seconds = 0;       // how long it took
  std::chrono::system_clock::time_point taken;

  // What is not in the sums: "10.0.0.3:6379: connection refused", "no primary answers for 5461 slots". Empty: nothing
  // is missing.
  std::vector<std::string> incomplete() const;
  // Of all nodes of this group: is a primary of each data set among those that answered?
  bool has_all_data(std::string_view group) const;
  // The weakest of the nodes whose keys are in the sums: "exact", "seeding", "swept"; empty where none says.
  std::string keys_mode() const;
  // "keys are being counted (57 %), their numbers are not exact yet": as long as nodes whose keys are in the sums have
  // not met each of their keys. Empty: they have.
  std::string counting() const;
  std::size_t nodes_up() const;
};

// Decides whose keys and memory count. In a cluster one primary of each shard: not one that has been replaced and does
// not know yet (its replication id is the previous one of another primary of the shard: in another shard that is a
// replica which began anew), else that of which most nodes say that it owns slots. Elsewhere each primary, and one
// replica of each primary that did not answer or was not asked.
void mark_data_sources(Snapshot& snapshot);

// Where a node of a cluster stands in its shard: how many bytes of the stream it has yet to get, and how many keys it
// has fewer than (below 0: more than) the source of its data. Nothing where that is not known.
struct Lag {
  std::optional<std::uint64_t> bytes;
  std::optional<long long> keys;
};
// Null: it is no copy of a node that is in the sums.
const Node* source_of(const Snapshot& snapshot, const Node& replica);
Lag lag(const Node& source, const Node& replica);

}  // namespace tenants::tool
