// The background pass: walks all keys in short slices, counts them where the server does not tell of them, and asks for
// their size.
#pragma once

#include "module/module.h"

namespace tenants {

// What there is to do for the pass: tenants.slice-usec and a step of SCAN at most. Returns after how many microseconds
// it wants to go on; nothing where it only waits. `hindered_by`: why the server must be asked nothing now; null: it may
// be.
std::optional<std::uint64_t> work_on_pass(Module& module, const char* hindered_by);

// Live counts against DBSIZE, which is O(1) to ask, database by database. `drift`: a difference is an error of ours.
void check_sums(Module& module, bool drift);

}  // namespace tenants
