// What a server replied, as the values of a snapshot.
#pragma once

#include "tool/client/reply.h"
#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

// One row of a page; columns that are not known here are passed over.
Row read_row(Table table, const Reply& reply);

// TENANTS.STATUS. Throws Failure where the reply is an error.
void read_status(const Reply& reply, Node& node);

// What INFO says of replication and memory.
void read_info(std::string_view text, Node& node);

}  // namespace tenants::tool
