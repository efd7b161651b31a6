// The screen of `top`: what the keys do, and what is shown where.
#pragma once

#include <chrono>

#include "tool/fleet/fleet.h"
#include "tool/views/top_table.h"

namespace tenants::tool {

// Until the operator leaves, or `frames` readings have been shown (0: without end). Reads the servers in a thread of
// its own: a slow one does not delay a key. Throws Failure where the terminal cannot be used, or is gone.
void run_top_screen(Fleet& fleet, TopOptions options, std::chrono::duration<double> delay, std::uint64_t frames);

}  // namespace tenants::tool
