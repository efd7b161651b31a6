// The numbers of a tenant, a user and a prefix, by their names in TENANTS.LIST, USERS and PREFIXES, and how each is
// added up over servers. The module's own list is module/publish/columns.h; columns_test.cc holds the two together.
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

struct Column {
  const char* name;
  enum Kind : std::uint8_t {
    kCounter,   // grows; added over all servers
    kActivity,  // now; added over all servers
    kData,      // now; added over the sources of data only: a replica holds copies
    kMost,      // alike on all servers: the largest counts
    kPeak,      // cannot be added: absent unless it is of one server
    kShare,     // thousandths; the mean, by weight (sum.cc)
    kMean,      // likewise, not thousandths
  } kind;
};

namespace tenant_column = tenant_columns;
namespace user_column = user_columns;
namespace prefix_column = prefix_columns;

inline constexpr std::size_t kMostColumns = 17;

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
