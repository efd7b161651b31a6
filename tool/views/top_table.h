// What `top` shows at one moment, on a screen or not: a few lines about all, and a table.
#pragma once

#include <string>
#include <vector>

#include "tool/snapshot/snapshot.h"
#include "tool/views/text_table.h"

namespace tenants::tool {

struct TopOptions {
  Table table = Table::kTenants;
  std::size_t sort = 0;  // number of a column of top_columns()
  bool reverse = false;
  std::string filter;  // of names, as in KEYS; one without * ? [ is meant as a part of the name
};

struct TopColumn {
  const char* header;
  std::size_t column;  // of the table
  enum Show : std::uint8_t {
    kNow,
    kPerSecond,
    kPercent,  // of one core
    kError,    // beside the column before
    kShare,    // a bar: the share of all rows in the column before; cannot be sorted by
  } show;
};

std::span<const TopColumn> top_columns(Table table);
// The next column to the right (1) or left (-1) that can be sorted by.
std::size_t next_sort(Table table, std::size_t sort, int step);
// By its header, whatever the case, or its name in the table; nothing where there is none.
std::optional<std::size_t> find_top_column(Table table, std::string_view name);

struct TopFrame {
  std::vector<std::string> about;
  TextTable table;  // the first row is that of all that match
};

// Rates need `before`; without one they are "-".
TopFrame top_frame(const Snapshot* before, const Snapshot& now, const TopOptions& options);

}  // namespace tenants::tool
