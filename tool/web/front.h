// The first page: what needs attention, all together, who weighs most, the nodes.
#pragma once

#include <string>

#include "tool/exporter/history.h"
#include "tool/web/view.h"

namespace tenants::tool::web {

// HTML. `view` is of all tenants; `history` may be null: no trends. `metrics_path` is where the metrics are.
std::string front_page(const View& view, const History* history, const std::string& metrics_path);

}  // namespace tenants::tool::web
