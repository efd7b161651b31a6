// A reading as metrics (docs/exporter.md has them one by one).
#pragma once

#include <string>

#include "tool/exporter/selection.h"

namespace tenants::tool {

// The text format 0.0.4 of Prometheus. `prefixes` may be null; `refused`: requests that were turned away so far.
// O(series), about a microsecond each.
std::string metrics_text(const SharedReading& reading, Selection& tenants, Selection* prefixes, std::uint64_t refused);

// As it stands in the label `node` and on the page: as it is where it is printable ASCII, else percent-escaped.
std::string shown_address(const std::string& address);

}  // namespace tenants::tool
