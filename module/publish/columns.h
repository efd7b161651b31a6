// The columns of users, prefixes and tenants: their numbers, their names, what they are. Without server types, so that
// whoever reads the module from outside can share them.
#pragma once

#include <cstdint>

namespace tenants {

struct Column {
  const char* name;
  enum Kind : std::uint8_t { kCounter, kGauge, kThousandths } kind;
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
  kAuthFailures,
  kCpuUsec,
  kSlow,
  kBytesIn,
  kBytesOut,
};
}
inline constexpr Column kUserColumns[] = {
    {"connections", Column::kGauge},     {"connections_peak", Column::kGauge}, {"connections_total", Column::kCounter},
    {"commands", Column::kCounter},      {"reads", Column::kCounter},          {"writes", Column::kCounter},
    {"admin", Column::kCounter},         {"scripts", Column::kCounter},        {"pubsub", Column::kCounter},
    {"errors", Column::kCounter},        {"rejected", Column::kCounter},       {"denied", Column::kCounter},
    {"auth_failures", Column::kCounter}, {"cpu_usec", Column::kCounter},       {"slow", Column::kCounter},
    {"bytes_in", Column::kCounter},      {"bytes_out", Column::kCounter},
};

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
};
}
inline constexpr Column kPrefixColumns[] = {
    {"users", Column::kGauge},
    {"keys", Column::kGauge},
    {"bytes", Column::kGauge},
    {"bytes_error", Column::kGauge},
    {"coverage", Column::kThousandths},
    {"hits_sampled", Column::kCounter},
    {"misses_sampled", Column::kCounter},
    {"hit_ratio", Column::kThousandths},
    {"expired", Column::kCounter},
    {"evicted", Column::kCounter},
    {"keys_without_ttl", Column::kGauge},
    {"avg_ttl_msec", Column::kGauge},
};

namespace tenant_columns {
enum : std::uint8_t {
  kUsers,
  kPrefixes,
  kConnections,
  kCommands,
  kReads,
  kWrites,
  kErrors,
  kDenied,
  kCpuUsec,
  kSlow,
  kBytesIn,
  kBytesOut,
  kKeys,
  kBytes,
  kBytesError,
};
}
inline constexpr Column kTenantColumns[] = {
    {"users", Column::kGauge},      {"prefixes", Column::kGauge},   {"connections", Column::kGauge},
    {"commands", Column::kCounter}, {"reads", Column::kCounter},    {"writes", Column::kCounter},
    {"errors", Column::kCounter},   {"denied", Column::kCounter},   {"cpu_usec", Column::kCounter},
    {"slow", Column::kCounter},     {"bytes_in", Column::kCounter}, {"bytes_out", Column::kCounter},
    {"keys", Column::kGauge},       {"bytes", Column::kGauge},      {"bytes_error", Column::kGauge},
};

}  // namespace tenants
