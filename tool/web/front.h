// The first page: what needs attention, all together, who weighs most, the nodes.
#pragma once

#include <string>
#include <vector>

#include "tool/exporter/history.h"
#include "tool/fleet/attention.h"
#include "tool/web/view.h"

namespace tenants::tool::web {

struct FrontParameters {
  const View& view;  // of all tenants
  std::vector<Concern> concerns;
  std::string unknown;     // which concerns could not be told, and why; empty: all could
  const History* history;  // null: no trends
  std::string metrics_path;
};

// HTML.
std::string front_page(const FrontParameters& of);

}  // namespace tenants::tool::web
