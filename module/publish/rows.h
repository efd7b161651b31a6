// What is said of a user, a prefix and a tenant now: the values of their columns.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "module/module.h"
#include "module/publish/columns.h"

namespace tenants {

using UserValues = std::array<std::uint64_t, std::size(kUserColumns)>;
using PrefixValues = std::array<std::uint64_t, std::size(kPrefixColumns)>;
using TenantValues = std::array<std::uint64_t, std::size(kTenantColumns)>;

using DatabaseValues = std::array<std::uint64_t, std::size(kDatabaseColumns)>;

// As they are now; what this server cannot tell, or nobody knows yet, is kAbsent. O(1).
UserValues user_values(const Module& module, std::uint32_t row);
PrefixValues prefix_values(const Module& module, std::uint32_t row);
// The same in half the time: what the keys take is not estimated anew where there are as many as at the last tally.
PrefixValues tallied_prefix_values(const Module& module, std::uint32_t row);
// Of a database with so many keys.
DatabaseValues database_values(const Module& module, int db, std::uint64_t keys);
// Of the keys that prefixes have in one database.
struct Held {
  std::uint64_t keys = 0, bytes = 0, error = 0;  // what is not known: kAbsent

  void add(const Held& other);
};
// Of one prefix, with so many keys there. What it takes in all databases as the last tally has it. O(1).
Held held(const Module& module, std::uint32_t row, int db, std::uint64_t keys);

// A tenant is a group, a user that is in none, or what nobody owns; by number: "(orphans)", then the groups, then all
// rows of the user table. The number stays the same until tenants.groups changes.
inline constexpr std::uint32_t kOrphans = 0;
inline std::uint32_t tenant_of_row(const Groups& groups, std::uint32_t user) {
  return 1 + static_cast<std::uint32_t>(groups.size()) + user;
}
std::uint32_t tenant_of_user(const Module& module, const Groups& groups, std::uint32_t user);
std::uint32_t tenant_of_prefix(const Module& module, const Groups& groups, std::uint32_t prefix);
// By the groups that hold.
inline std::uint32_t tenant_of_row(const Module& module, std::uint32_t user) {
  return tenant_of_row(module.tallies.groups(), user);
}
inline std::uint32_t tenant_of_user(const Module& module, std::uint32_t user) {
  return tenant_of_user(module, module.tallies.groups(), user);
}
inline std::uint32_t tenant_of_prefix(const Module& module, std::uint32_t prefix) {
  return tenant_of_prefix(module, module.tallies.groups(), prefix);
}
// prefix; key: a pattern without a wildcard, which may have the name of a prefix; the module's own: none, other.
const char* prefix_kind(std::uint32_t row, const PrefixTable::Title& title);

struct Tenant {
  std::string_view name;  // as it is, or the module's own: "(other)"
  const char* kind;       // tenant, group, gone; own: orphans, overhead, other, internal
  bool own = false;
  std::uint32_t user = 0;  // its row, where it is one
};
// One past the last: the row "(overhead)".
inline std::uint32_t overhead_tenant(const Module& module) { return tenant_of_row(module, module.users.end()); }
Tenant tenant_at(const Module& module, std::uint32_t tenant);

// Has this tenant something to show? A user that is in a group has not, nor one that left the ACL and used nothing, nor
// one that came after the last tally.
bool is_listed(const Module& module, std::uint32_t tenant);

// What the server uses, and of that what no key owns: tables, buffers, its start, this module.
struct MemoryUse {
  std::uint64_t used = 0, overhead = 0;
};
// From MEMORY STATS; nothing where the server refuses it. Some 20 µs.
std::optional<MemoryUse> memory_use(const Module& module);
// Of the row "(overhead)".
TenantValues overhead_values(const Module& module, const MemoryUse& memory);

// What the last complete pass saw of the prefix, or the one that runs if that saw nothing; null: neither did.
const Measured* latest(const Module& module, std::uint32_t row);

// Counters of users and prefixes start anew. O(users + prefixes + connections).
void reset_counters(Module& module);

// Three decimals.
std::string decimal(std::uint64_t thousandths);

}  // namespace tenants
