// What each tenant used in the last seconds, as the servers themselves remember it (TENANTS.TOP): no waiting for a
// second reading.
#pragma once

#include <unordered_map>

#include "tool/fleet/fleet.h"

namespace tenants::tool {

// Of one node.
struct Window {
  std::string node;       // its address
  double seconds = 0;     // how long it is; shorter than asked for where the module is younger
  bool complete = false;  // all tenants that did anything are among the rows
  std::vector<Row> rows;  // counters: what they grew; gauges: now
  std::vector<std::array<std::optional<long long>, 2>> changes;  // of each row: keys, bytes

  std::unordered_map<std::string, std::size_t> places;  // of rows, by shown_name()

  // Null: did nothing, or is not among the rows.
  const Row* find(const Row& tenant) const;
  // Per second; 0 where the tenant did nothing, nothing where that is not known.
  std::optional<double> rate(const Row& tenant, std::size_t column) const;
};

// Of all nodes that are up; `seconds` is 10, 60 or 300. A node that does not answer is left out; throws
// Failure where one refuses.
std::vector<Window> read_windows(Fleet& fleet, int seconds);

}  // namespace tenants::tool
