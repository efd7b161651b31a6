// What a server replied, as the values of a snapshot.
#pragma once

#include "tool/client/reply.h"
#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

// What a column's text says: "0.95" of a share is 950; kAbsent where it is no number.
std::uint64_t read_number(const Column& column, std::string_view text);

// One row, as a map; columns that are not known here are passed over.
Row read_row(Table table, const Reply& reply);

// TENANTS.STATUS. Throws Failure where the reply is an error.
void read_status(const Reply& reply, Node& node);

// What INFO says of replication and memory.
void read_info(std::string_view text, Node& node);

}  // namespace tenants::tool
