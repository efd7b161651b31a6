// A page of TENANTS.LIST, USERS or PREFIXES as text.
#pragma once

#include <string_view>
#include <vector>

#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

// The rows of one page in the module's FORMAT CSV; columns that are not known here are passed over. Throws Failure
// where it is no such text. O(bytes).
std::vector<Row> read_page(Table table, std::string_view csv);

}  // namespace tenants::tool
