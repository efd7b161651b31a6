// Trends as SVG, drawn by the server.
#pragma once

#include <string>

#include "tool/exporter/history.h"
#include "tool/web/view.h"

namespace tenants::tool::web {

// A line for a row of a table, some 250 bytes; empty where there is nothing to draw. Not for ears: the number is beside
// it.
std::string spark(const History::Series& series);

struct Chart {
  std::string title, shown;  // HTML
  Unit unit;
  std::optional<double> now;  // the number that is shown, newer than the series
  History::Series series;
};
// The number now, and how it went, as a figure; scripts find all numbers in it and may draw it better.
std::string chart(const Chart& chart, const std::vector<double>& times);

}  // namespace tenants::tool::web
