// The page of all tenants, or of all prefixes: a table. Complete without scripts.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "tool/exporter/history.h"
#include "tool/web/view.h"

namespace tenants::tool::web {

// HTML. `history` may be null: no trends. O(lines).
std::string page(const View& view, const Request& request, const History* history = nullptr);

// A number of the tenant of this line, or of all together (View::whole), and how it went: a figure for each column.
std::string charts(const View& view, const Line& line, std::initializer_list<const char*> columns,
                   const History* history);

// What a trend can be drawn of; nothing where the column is no such number.
std::optional<History::Metric> metric_of(const PageColumn& column);

}  // namespace tenants::tool::web
