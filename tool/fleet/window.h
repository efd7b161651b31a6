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
  bool counted = false;   // how keys and memory changed is known: not while a module that came late counts the keys
  std::vector<Row> rows;  // counters: what they grew; gauges: now
  std::vector<std::array<std::optional<long long>, 2>> changes;  // of each row: keys, bytes

  std::unordered_map<std::string, std::size_t> places;  // of rows, by shown_name()

  // Null: did nothing, or is not among the rows.
  const Row* find(const Row& tenant) const;
  // Per second; 0 where the tenant did nothing, nothing where that is not known.
  std::optional<double> rate(const Row& tenant, std::size_t column) const;
  // Of keys or of bytes; 0 and nothing likewise.
  std::optional<long long> change(const Row& tenant, std::size_t column) const;
};

// Of what a window says, in TENANTS.TOP or `recent` of TENANTS.GET: how long it is, and how keys and bytes of one
// tenant changed.
double seconds_in(const Reply& window);
std::array<std::optional<long long>, 2> changes_in(const Reply& tenant);

struct WindowQuery {
  int seconds;                  // 10, 60 or 300
  std::vector<std::string> by;  // the tenants with most of each of these columns are asked for
};
constexpr std::size_t kMostWindowRows = 1000;

// One round trip to all nodes that are up; `rows`, 1 … 1000, of each column. Some ns per tenant on the server's main
// thread and 0.2 µs per row. For each query, of each node; one that does not answer is left out. Throws Failure where
// one refuses.
std::vector<std::vector<Window>> read_windows(Fleet& fleet, const std::vector<WindowQuery>& queries,
                                              std::size_t rows = kMostWindowRows);

// How the keys or the bytes of a tenant changed over the sources of data; nothing where one of them cannot tell, nor of
// what is not known now, nor of overhead.
std::optional<long long> change_of(const std::vector<Window>& windows, const Snapshot& snapshot, const Row& tenant,
                                   std::size_t column);

}  // namespace tenants::tool
