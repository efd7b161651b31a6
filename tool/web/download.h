// The table of the page as JSON and as CSV: every number that is known, unrounded.
#pragma once

#include <string>

#include "tool/web/tenant_page.h"
#include "tool/web/view.h"

namespace tenants::tool::web {

// {"taken", "rate_seconds", "incomplete", "nodes": [...], "rows": [{"name", "kind", …}], "total": {…}}. The numbers
// have the names they have in TENANTS.LIST and TENANTS.PREFIXES; a counter has its rate beside it, as `…_per_second`.
// What is not known is not there. Names are percent-escaped.
std::string json(const View& view, const Request& request);

// All that is known of one tenant. Its fields have the names that they have in `valkey-tenants show -o json`; "denied"
// are the commands that the ACL of the exporter's user does not have.
std::string tenant_json(const TenantParameters& of);

// The rows of json(), with a line of names above them; what is not known is empty. A name that a spreadsheet would take
// for a formula has its first byte percent-escaped, too.
std::string csv(const View& view, const Request& request);

}  // namespace tenants::tool::web
