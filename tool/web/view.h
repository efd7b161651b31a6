// What the page shows of a reading: which columns, which rows, in which order. The same for HTML, JSON and CSV.
#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "tool/exporter/scraper.h"
#include "tool/fleet/attention.h"
#include "tool/snapshot/sum.h"

namespace tenants::tool::web {

enum class Unit : std::uint8_t {
  kName,
  kOwner,
  kCount,
  kBytes,
  kPerSecond,       // growth of a counter
  kBytesPerSecond,  // likewise
  kCpu,             // growth of microseconds, as percent of one core
  kHitRatio,        // percent
  kGrowth,          // of memory in five minutes, by what the servers remember
};

struct PageColumn {
  const char* id;  // for ?sort=
  const char* title;
  const char* help;
  Unit unit;
  std::size_t column = 0;  // of the table
  bool share = false;      // with a bar: its share of the total
  bool tile = false;       // its total stands above the table
  bool minor = false;      // shown only where there is much room
};

// Of kTenants or kPrefixes.
std::span<const PageColumn> page_columns(Table table);

struct Request {
  static constexpr std::size_t kAll = ~std::size_t{0}, kDefaultTop = 200;

  Table table = Table::kTenants;
  const PageColumn* sort = nullptr;
  bool ascending = false;
  std::string search;  // a part of the name as it is shown here, or in a terminal, in any case
  std::size_t top = kDefaultTop;
  enum class Format : std::uint8_t { kHtml, kJson, kCsv } format = Format::kHtml;
  std::optional<std::string> only = std::nullopt;  // this tenant, or the prefixes of this owner
};

const PageColumn& page_column(Table table, std::string_view id);  // one that there is

struct Line {
  std::string name, owner;  // as they are shown
  const Row* row = nullptr;
  Values now, grown;                                     // `grown`: counters are what they grew in View::seconds
  std::optional<long long> bytes_change = std::nullopt;  // in five minutes
};

struct View {
  SharedReading reading;
  double seconds = 0;       // that the rates are over; 0: no rates are known yet
  Sum sum;                  // owns the rows that the lines point to
  std::vector<Line> lines;  // those that the request wants, in its order; the module's own rows last
  std::size_t all = 0;      // tenants, or prefixes, without the module's own rows
  std::size_t found = 0;    // of them, those that match the search
  Line total;               // of all rows, or of those that match, if there is a search
  Line whole;               // of all rows: what shares are of
  Line left_out;            // of those that match and came after `top`
};

// `before` may be null, and so may `recent`, without which no growth is known. O(rows log rows).
View view(SharedReading reading, const SharedReading& before, const Request& request, const Recent* recent = nullptr);

// In the unit of the column; nothing where it is not known.
std::optional<double> value(const View& view, const Line& line, const PageColumn& column);

// Percent-escaped, but only what cannot be printed, '%', a space at either end, and a '(' at the beginning, which is
// the module's own. One to one.
std::string readable(const std::string& name, bool own);

}  // namespace tenants::tool::web
