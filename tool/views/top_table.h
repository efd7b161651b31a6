// What `top` shows at one moment, on a screen or not: rows as they were read, and how they are chosen, ordered and
// written. No I/O.
#pragma once

#include <array>
#include <cmath>
#include <string>
#include <unordered_map>
#include <vector>

#include "tool/fleet/attention.h"
#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

struct TopColumn {
  const char* header;
  std::size_t width;
  char key;  // sorts by it; 0: none does
  enum Show : std::uint8_t {
    kNow,
    kPerSecond,
    kPercent,  // of one core
    kChange,   // over the last five minutes
    kHits,     // of all look-ups
    kError,    // of a sum, as a share of it
  } show;
  std::size_t column;  // of the table; of kError that of the sum
  std::size_t other;   // is added to it; of kError the error's; or kNone
  const char* help;
  static constexpr std::size_t kNone = ~std::size_t{0};
};
inline constexpr std::size_t kMostTopColumns = 16;

// In the order in which they are shown; the last ones are left out where there is no room.
std::span<const TopColumn> top_columns(Table table);
const char* top_title(Table table);  // of the names: "TENANT"
// By its header or its key, or its name in the table, whatever the case; nothing where there is none.
std::optional<std::size_t> find_top_column(Table table, std::string_view name);

struct TopOptions {
  Table table = Table::kTenants;
  std::size_t sort = 0;  // number of a column of top_columns()
  bool reverse = false;
  std::string filter;  // of names, as in KEYS; one without * ? [ is meant as a part of the name
};

// A number, or a share of something: NAN where it is not known.
struct TopCell {
  double part = NAN, whole = 1;
  double value() const { return part / whole; }
};

struct TopRow {
  Kind kind = Kind::kTenant;
  std::string title;        // as it is shown
  std::string name, owner;  // bytes as they are
  std::array<TopCell, kMostTopColumns> cells;
};

struct TopRows {
  Table table = Table::kTenants;
  std::string about;               // one line
  std::vector<Concern> concerns;   // the most urgent first
  std::vector<std::string> notes;  // what is not known, and why
  std::vector<TopRow> rows;        // by name; the module's own last
};

// Hits and misses of the keys that a tenant owns, by its name.
using Lookups = std::unordered_map<std::string, TopCell>;
Lookups lookups_of(const Snapshot& prefixes);

struct TopSources {
  const Snapshot& now;
  const Snapshot* before = nullptr;  // rates are of the time since
  const Recent* recent = nullptr;    // what the servers remember: rates of tenants without `before`, bytes per second
  const Lookups* lookups = nullptr;  // of tenants
};
// O(rows log rows) and some µs per row and node; no concerns, no notes.
TopRows top_rows(Table table, const TopSources& sources);

// Numbers of the rows that match the filter, in the order asked for; what is not known comes after what is, the
// module's own rows last as they are. O(rows log rows): 10,000 in some ms.
std::vector<std::uint32_t> top_order(const TopRows& rows, const TopOptions& options);
// Of the rows in `order`. O(rows).
TopRow top_total(const TopRows& rows, const std::vector<std::uint32_t>& order);

// Which columns fit on a line, and where. The one that is sorted by is always among them, marked with * or ^, with a
// bar after it.
struct TopLayout {
  std::vector<std::size_t> columns;
  std::size_t sort = 0, name = 0, gap = 2;  // widths
  std::size_t bar_at = 0, bar = 0;          // in characters; 0: none
  bool shows(std::size_t column) const;
};
// `width` 0: all of them. `longest`: characters of the longest name.
TopLayout top_layout(const TopOptions& options, std::size_t width, std::size_t longest, bool with_bar);
// The next column that is shown, to the right (1) or the left (-1).
std::size_t next_sort(const TopLayout& layout, int step);

std::string top_heading(const TopLayout& layout, const TopOptions& options);
// `whole`: what a full bar stands for; NAN: no bar.
std::string top_line(const TopLayout& layout, Table table, const TopRow& row, double whole);
// The sum of what is above 0, which bars are shares of; NAN where that says nothing.
double top_whole(const TopRows& rows, std::size_t column);

// What all keys do and the columns mean, a line each.
std::vector<std::string> top_help(Table table);

}  // namespace tenants::tool
