#include "tool/fleet/columns.h"

namespace tenants::tool {

namespace {

constexpr Column kTenantColumns[] = {
    {"users", Column::kMost},       {"prefixes", Column::kMost},    {"connections", Column::kActivity},
    {"commands", Column::kCounter}, {"reads", Column::kCounter},    {"writes", Column::kCounter},
    {"errors", Column::kCounter},   {"denied", Column::kCounter},   {"cpu_usec", Column::kCounter},
    {"slow", Column::kCounter},     {"bytes_in", Column::kCounter}, {"bytes_out", Column::kCounter},
    {"keys", Column::kData},        {"bytes", Column::kData},       {"bytes_error", Column::kData},
};

constexpr Column kUserColumns[] = {
    {"connections", Column::kActivity},  {"connections_peak", Column::kPeak}, {"connections_total", Column::kCounter},
    {"commands", Column::kCounter},      {"reads", Column::kCounter},         {"writes", Column::kCounter},
    {"admin", Column::kCounter},         {"scripts", Column::kCounter},       {"pubsub", Column::kCounter},
    {"errors", Column::kCounter},        {"rejected", Column::kCounter},      {"denied", Column::kCounter},
    {"auth_failures", Column::kCounter}, {"cpu_usec", Column::kCounter},      {"slow", Column::kCounter},
    {"bytes_in", Column::kCounter},      {"bytes_out", Column::kCounter},
};

constexpr Column kPrefixColumns[] = {
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

static_assert(std::size(kTenantColumns) <= kMostColumns && std::size(kUserColumns) <= kMostColumns &&
              std::size(kPrefixColumns) <= kMostColumns);

}  // namespace

std::span<const Column> columns(Table table) {
  switch (table) {
    case Table::kTenants:
      return kTenantColumns;
    case Table::kUsers:
      return kUserColumns;
    default:
      return kPrefixColumns;
  }
}

const char* command(Table table) {
  constexpr const char* kCommands[kTables] = {"TENANTS.LIST", "TENANTS.USERS", "TENANTS.PREFIXES"};
  return kCommands[static_cast<std::size_t>(table)];
}

std::optional<std::size_t> find_column(Table table, std::string_view name) {
  std::span<const Column> all = columns(table);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].name == name) return i;
  return std::nullopt;
}

}  // namespace tenants::tool
