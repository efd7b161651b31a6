// Reading one server: all that a snapshot holds of it.
#pragma once

#include "tool/client/connection.h"
#include "tool/client/topology.h"
#include "tool/fleet/fleet.h"

namespace tenants::tool {

// Fills the node and says that it is up. Its pages are read one after the other. With `shards`, what it says of its
// cluster. Throws Failure.
void read_node(Connection& connection, const Wanted& wanted, Deadline deadline, Node& node,
               std::vector<ClusterNode>* shards);

}  // namespace tenants::tool
