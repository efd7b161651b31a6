// The columns of users, prefixes and tenants: their numbers, their names, what they are. Without server types: the tool
// reads by the same list.
//
// A new one: HACKING.md, "To add a metric".
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

// A user's; a tenant has the same, added over its users.
#define TENANTS_USER_COLUMNS(COLUMN)                       \
  COLUMN(kConnections, "connections", kActivity)           \
  COLUMN(kConnectionsPeak, "connections_peak", kPeak)      \
  COLUMN(kConnectionsTotal, "connections_total", kCounter) \
  COLUMN(kCommands, "commands", kCounter)                  \
  COLUMN(kReads, "reads", kCounter)                        \
  COLUMN(kWrites, "writes", kCounter)                      \
  COLUMN(kAdmin, "admin", kCounter)                        \
  COLUMN(kScripts, "scripts", kCounter)                    \
  COLUMN(kPubsub, "pubsub", kCounter)                      \
  COLUMN(kErrors, "errors", kCounter)                      \
  COLUMN(kRejected, "rejected", kCounter)                  \
  COLUMN(kDenied, "denied", kCounter)                      \
  COLUMN(kDeniedAuth, "denied_auth", kCounter)             \
  COLUMN(kDeniedCommand, "denied_command", kCounter)       \
  COLUMN(kDeniedKey, "denied_key", kCounter)               \
  COLUMN(kDeniedChannel, "denied_channel", kCounter)       \
  COLUMN(kDeniedDatabase, "denied_database", kCounter)     \
  COLUMN(kAuthFailures, "auth_failures", kCounter)         \
  COLUMN(kCpuUsec, "cpu_usec", kCounter)                   \
  COLUMN(kSlow, "slow", kCounter)                          \
  COLUMN(kBytesIn, "bytes_in", kCounter)                   \
  COLUMN(kBytesOut, "bytes_out", kCounter)
#define TENANTS_NUMBER(number, name, kind) number,
#define TENANTS_LINE(number, name, kind) {name, Column::kind},

namespace user_columns {
enum : std::uint8_t { TENANTS_USER_COLUMNS(TENANTS_NUMBER) kEnd };
}
inline constexpr Column kUserColumns[] = {TENANTS_USER_COLUMNS(TENANTS_LINE)};

namespace tenant_columns {
enum : std::uint8_t { kUsers, kPrefixes, TENANTS_USER_COLUMNS(TENANTS_NUMBER) kKeys, kBytes, kBytesError, kEnd };
inline constexpr std::uint8_t kOfUsers = kPrefixes + 1;  // here those of users begin, in their order
}  // namespace tenant_columns
inline constexpr Column kTenantColumns[] = {
    {"users", Column::kMost},
    {"prefixes", Column::kMost},
    TENANTS_USER_COLUMNS(TENANTS_LINE)  //
    {"keys", Column::kData},
    {"bytes", Column::kData},
    {"bytes_error", Column::kData},
};

#undef TENANTS_LINE
#undef TENANTS_NUMBER
#undef TENANTS_USER_COLUMNS

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

namespace database_columns {
enum : std::uint8_t { kKeys, kBytes, kBytesError, kCoverage, kKeysWithoutTtl, kAvgTtl, kEnd };
}
inline constexpr Column kDatabaseColumns[] = {
    {"keys", Column::kData},
    {"bytes", Column::kData},
    {"bytes_error", Column::kData},
    {"coverage", Column::kShare},
    {"keys_without_ttl", Column::kData},
    {"avg_ttl_msec", Column::kMean},
};
static_assert(std::size(kDatabaseColumns) == database_columns::kEnd);

}  // namespace tenants
