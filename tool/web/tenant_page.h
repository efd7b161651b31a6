// The page of one tenant: all that is known of it.
#pragma once

#include <string>

#include "tool/exporter/history.h"
#include "tool/exporter/inquirer.h"
#include "tool/web/view.h"

namespace tenants::tool::web {

struct TenantParameters {
  std::string name;
  const View& tenant;    // of this tenant only; no line: the readings don't know it
  const View* prefixes;  // its prefixes; null: they are not read
  const History* history;
  const TenantAnswer* answer;  // null: nobody was asked
  bool keys;                   // the names of its largest keys are shown, if they were read

  // As the readings have it, or else as it was told just now.
  const Row& row() const { return tenant.lines.empty() ? answer->details.tenant : *tenant.lines.front().row; }
};

// HTML.
std::string tenant_page(const TenantParameters& of);
// That there is none of this name.
std::string no_tenant_page(const std::string& name);

}  // namespace tenants::tool::web
