// What the module does by itself, in the server's event loop.
#pragma once

#include "module/module.h"

namespace tenants {

// False where the event loop has no room.
bool start_ticks(Module& module);
void stop_ticks(Module& module);

}  // namespace tenants
