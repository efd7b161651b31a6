// What one number of each tenant did in the last seconds, as the servers remember it: TENANTS.TOP by that number, which
// names at most 1,000 on each node, those with most.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tool/fleet/fleet.h"

namespace tenants::tool {

struct RecentNumber {
  struct OfNode {
    bool data_source = false;
    double seconds = 0;                              // how far back it reaches
    std::unordered_map<std::string, double> values;  // by shown_name()
    double least = 0;                                // who is not named has at most this
  };
  std::vector<OfNode> nodes;
  bool complete = true;  // all nodes that are up answered

  // Added over the sources of data; nothing where a node does not name the row.
  std::optional<double> data(const std::string& shown) const;
};

// `seconds` is 10, 60 or 300. The values are of the column `field`, of the tenants with most of each column `by`.
// Throws Failure where a server refuses. Its main thread is busy with it for some 3 ms where it has 1,000 tenants to
// name.
RecentNumber read_recent_number(Fleet& fleet, const Snapshot& snapshot, const std::vector<std::string>& by, const std::string& field,
                   int seconds);

}  // namespace tenants::tool
