// A page of TENANTS.LIST, USERS or PREFIXES as text.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

// Is told the fields of columns that the table does not have, while their row is the last one of `rows`.
using OtherField = std::function<void(const std::vector<Row>& rows, std::string_view column, std::string_view field)>;

// The rows of one page in the module's FORMAT CSV. Throws Failure where it is no such text. O(bytes).
std::vector<Row> read_page(Table table, std::string_view csv, const OtherField& other = {});

}  // namespace tenants::tool
