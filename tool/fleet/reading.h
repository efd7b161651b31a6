// Reading one server: all that a snapshot holds of it.
#pragma once

#include "tool/client/connection.h"
#include "tool/fleet/fleet.h"
#include "tool/fleet/topology.h"

namespace tenants::tool {

// Fills the node and says that it is up. Its pages are read one after the other, of all tables at once. With `shards`,
// what it says of its cluster. Throws Failure.
void read_node(Connection& connection, const Wanted& wanted, Deadline deadline, Node& node,
               std::vector<ClusterNode>* shards);

// One row of a page; columns that are not known here are passed over.
Row read_row(Table table, const Reply& reply);

// What INFO says of replication and memory.
void read_info(std::string_view text, Node& node);

}  // namespace tenants::tool
