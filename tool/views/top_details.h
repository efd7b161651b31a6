// One tenant on one screen: what `top` shows after Enter. No I/O.
#pragma once

#include <span>
#include <vector>

#include "tool/views/top_reading.h"
#include "tool/views/top_terminal.h"

namespace tenants::tool {

// What was seen of a tenant since its page was opened.
struct TopHistory {
  static constexpr std::size_t kMost = 200;
  std::vector<double> commands, bytes;  // per second; of memory

  void take_in(const TopTenant& tenant);
};

// The last `width` values, from `least` to `most` as the height of a block each.
std::string sparkline(std::span<const double> values, std::size_t width, double least, double most);

// How many lines each section gets of `room`, that would like so many: what one leaves, the others have. A section of
// which not even a heading and one line fit has none, the last ones first.
std::vector<std::size_t> shared_lines(std::size_t room, const std::vector<std::size_t>& wanted);

// As many lines as there are; sections that are cut say so in their headings.
std::vector<ScreenLine> tenant_lines(const TopTenant& tenant, const TopHistory& history, std::size_t width,
                                     std::size_t lines);

}  // namespace tenants::tool
