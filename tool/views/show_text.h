// What `show` says of a tenant, as text.
#pragma once

#include <string>

#include "tool/fleet/tenant.h"

namespace tenants::tool {

// Of a terminal; 0: without limit.
struct Room {
  std::size_t width = 0, lines = 0;
};

// On a terminal as much as fits: keys beside commands, and of long lists the first, which a line says. No column is
// left out: what is too wide goes on below.
std::string show_text(const TenantDetails& details, Room room, bool raw_numbers);

}  // namespace tenants::tool
