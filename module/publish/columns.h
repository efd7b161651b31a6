// The columns of users, prefixes and tenants: their numbers, their names, what they are. Without server types: the tool
// reads by the same list.
//
// A new one: its number and its line here, its value in user_values() or prefix_values() (rows.cc), its line in
// docs/metrics.md. A tenant's column of the name of a user's is the sum over its users (tally.cc).
#pragma once

#include <cstdint>
#include <iterator>

namespace tenants {

struct Column {
  const char* name;
  // What it is, which says how whoever reads many servers adds it up.
  enum Kind : std::uint8_t {
    kCounter,   // grows; added over all servers
    kActivity,  // now; added over all servers
    kData,      // now; added over the sources of data only: a replica holds copies
    kMost,      // alike on all servers: the largest counts
    kPeak,      // cannot be added: unknown unless it is of one alone
    kShare,     // thousandths; the mean, by weight
    kMean,      // likewise, not thousandths
  } kind;
};

namespace user_columns {
enum : std::uint8_t {
  kConnections,
  kConnectionsPeak,
  kConnectionsTotal,
  kCommands,
  kReads,
  kWrites,
  kAdmin,
  kScripts,
  kPubsub,
  kErrors,
  kRejected,
  kDenied,
  kDeniedAuth,
  kDeniedCommand,
  kDeniedKey,
  kDeniedChannel,
  kDeniedDatabase,
  kAuthFailures,
  kCpuUsec,
  kSlow,
  kBytesIn,
  kBytesOut,
  kEnd,
};
}
inline constexpr Column kUserColumns[] = {
    {"connections", Column::kActivity},
    {"connections_peak", Column::kPeak},
    {"connections_total", Column::kCounter},
    {"commands", Column::kCounter},
    {"reads", Column::kCounter},
    {"writes", Column::kCounter},
    {"admin", Column::kCounter},
    {"scripts", Column::kCounter},
    {"pubsub", Column::kCounter},
    {"errors", Column::kCounter},
    {"rejected", Column::kCounter},
    {"denied", Column::kCounter},
    {"denied_auth", Column::kCounter},
    {"denied_command", Column::kCounter},
    {"denied_key", Column::kCounter},
    {"denied_channel", Column::kCounter},
    {"denied_database", Column::kCounter},
    {"auth_failures", Column::kCounter},
    {"cpu_usec", Column::kCounter},
    {"slow", Column::kCounter},
    {"bytes_in", Column::kCounter},
    {"bytes_out", Column::kCounter},
};
static_assert(std::size(kUserColumns) == user_columns::kEnd);

namespace prefix_columns {
enum : std::uint8_t {
  kUsers,
  kKeys,
  kBytes,
  kBytesError,
  kCoverage,
  kHits,
  kMisses,
  kHitRatio,
  kExpired,
  kEvicted,
  kKeysWithoutTtl,
  kAvgTtl,
  kEnd,
};
}
inline constexpr Column kPrefixColumns[] = {
    {"users", Column::kMost},
    {"keys", Column::kData},
    {"bytes", Column::kData},
    {"bytes_error", Column::kData},
    {"coverage", Column::kShare},
    {"hits_sampled", Column::kCounter},
    {"misses_sampled", Column::kCounter},
    {"hit_ratio", Column::kShare},
    {"expired", Column::kCounter},
    {"evicted", Column::kCounter},
    {"keys_without_ttl", Column::kData},
    {"avg_ttl_msec", Column::kMean},
};
static_assert(std::size(kPrefixColumns) == prefix_columns::kEnd);

namespace tenant_columns {
enum : std::uint8_t {
  kUsers,
  kPrefixes,
  kConnections,
  kConnectionsPeak,
  kConnectionsTotal,
  kCommands,
  kReads,
  kWrites,
  kAdmin,
  kScripts,
  kPubsub,
  kErrors,
  kRejected,
  kDenied,
  kDeniedAuth,
  kDeniedCommand,
  kDeniedKey,
  kDeniedChannel,
  kDeniedDatabase,
  kAuthFailures,
  kCpuUsec,
  kSlow,
  kBytesIn,
  kBytesOut,
  kKeys,
  kBytes,
  kBytesError,
  kEnd,
};
}
inline constexpr Column kTenantColumns[] = {
    {"users", Column::kMost},
    {"prefixes", Column::kMost},
    {"connections", Column::kActivity},
    {"connections_peak", Column::kPeak},
    {"connections_total", Column::kCounter},
    {"commands", Column::kCounter},
    {"reads", Column::kCounter},
    {"writes", Column::kCounter},
    {"admin", Column::kCounter},
    {"scripts", Column::kCounter},
    {"pubsub", Column::kCounter},
    {"errors", Column::kCounter},
    {"rejected", Column::kCounter},
    {"denied", Column::kCounter},
    {"denied_auth", Column::kCounter},
    {"denied_command", Column::kCounter},
    {"denied_key", Column::kCounter},
    {"denied_channel", Column::kCounter},
    {"denied_database", Column::kCounter},
    {"auth_failures", Column::kCounter},
    {"cpu_usec", Column::kCounter},
    {"slow", Column::kCounter},
    {"bytes_in", Column::kCounter},
    {"bytes_out", Column::kCounter},
    {"keys", Column::kData},
    {"bytes", Column::kData},
    {"bytes_error", Column::kData},
};
static_assert(std::size(kTenantColumns) == tenant_columns::kEnd);

}  // namespace tenants
