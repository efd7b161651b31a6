// The page for people: a table of tenants, or of prefixes, with the nodes above it. Complete without scripts.
#pragma once

#include <string>
#include <string_view>

#include "tool/web/view.h"

namespace tenants::tool::web {

// HTML. O(lines).
std::string page(const View& view, const Request& request);

// The front page; `metrics_path` is where /metrics is.
std::string landing_page(const std::string& metrics_path);

// The files beside it, as they are in tool/web/.
std::string_view style();
std::string_view script();

}  // namespace tenants::tool::web
