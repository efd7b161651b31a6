// The numbers of a tenant, a user and a prefix: the module's own columns, and rows of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "module/accounting/columns.h"
#include "module/publish/columns.h"

namespace tenants::tool {

enum class Table : std::uint8_t { kTenants, kUsers, kPrefixes };
inline constexpr std::size_t kTables = 3;

namespace tenant_column = tenant_columns;
namespace user_column = user_columns;
namespace prefix_column = prefix_columns;

inline constexpr std::size_t kMostColumns = tenant_columns::kEnd;
static_assert(user_columns::kEnd <= kMostColumns && prefix_columns::kEnd <= kMostColumns);

std::span<const Column> columns(Table table);
// "TENANTS.LIST", "TENANTS.USERS", "TENANTS.PREFIXES"
const char* command(Table table);
// By its name; nothing where the table has no such column.
std::optional<std::size_t> find_column(Table table, std::string_view name);

// One for each column of the table; what is not known, and what the table does not have, is kAbsent.
using Values = std::array<std::uint64_t, kMostColumns>;
inline constexpr Values kNothingKnown = [] {
  Values values{};
  values.fill(kAbsent);
  return values;
}();

}  // namespace tenants::tool
