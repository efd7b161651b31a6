#include "tool/snapshot/columns.h"

namespace tenants::tool {

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
