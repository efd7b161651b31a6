// The background pass: walks all keys in short slices, counts them where the server does not tell of them, and asks for
// their size.
#pragma once

#include "module/module.h"

namespace tenants {

// Starts the ticks. False where the event loop has no room.
bool start_sweep(Module& module);
void stop_sweep(Module& module);

// Keys per database, from INFO keyspace (selecting a database that is not in use would allocate it); nothing where the
// server refuses the call.
std::optional<DatabaseSizes> database_sizes(Module& module);

}  // namespace tenants
