#include "module/accounting/history.h"

#include <algorithm>

namespace tenants {

bool History::wants(std::size_t window, std::uint64_t usec) const {
  const Moment& latest = rings_[window][0];
  return !latest.columns || usec >= latest.usec + kWindows[window] / kSteps;
}

bool History::wants(std::uint64_t usec) const { return wants(0, usec); }  // the others take fewer

void History::add(const Moment& moment) {
  for (std::size_t window = 0; window < kWindows.size(); ++window) {
    auto& ring = rings_[window];
    bool first_counted = moment.counted && !ring[0].counted;
    if (!wants(window, moment.usec) && !first_counted) continue;
    std::rotate(ring.begin(), ring.end() - 1, ring.end());
    ring[0] = moment;
  }
}

Moment History::before(std::size_t window, std::uint64_t now, bool counted) const {
  Moment oldest;
  for (const Moment& moment : rings_[window]) {
    if (!moment.columns || (counted && !moment.counted)) break;
    oldest = moment;
    if (moment.usec + kWindows[window] <= now) break;
  }
  return oldest;
}

}  // namespace tenants
