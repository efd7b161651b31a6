// Rows as people see them in tables, and which of them they want.
#pragma once

#include <string>

#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

// What stands over a column: "MEMORY" of bytes.
std::string heading(Table table, std::size_t column);

// One number of a row; "-" where it is not known. An error is beside the column before it, unless all digits are
// wanted.
std::string cell(Table table, std::size_t column, const Row& row, bool raw_numbers);

// Does a name contain `filter`, or match it if that has * ? [ ? As it is, or as it is shown. An empty filter takes all.
bool passes_filter(const std::string& name, const std::string& shown, const std::string& filter);

}  // namespace tenants::tool
