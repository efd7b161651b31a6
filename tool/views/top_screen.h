// The screen of `top`: ncurses, the keys, and nothing else.
#pragma once

#include <chrono>

#include "tool/fleet/fleet.h"
#include "tool/views/top_table.h"

namespace tenants::tool {

// Until the operator leaves. Reads the servers in a thread of its own: a slow one does not delay a key.
void run_top_screen(Fleet& fleet, TopOptions options, std::chrono::duration<double> delay);

}  // namespace tenants::tool
