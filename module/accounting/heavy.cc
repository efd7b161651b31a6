#include "module/accounting/heavy.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace tenants {

void HeavyNames::add(std::string_view name) {
  auto known = counters_.find(name);
  if (known == counters_.end() && counters_.size() < capacity_) {
    known = counters_.try_emplace(std::string(name)).first;
    try {
      by_count_.emplace(0, &known->first);
    } catch (...) {  // no memory for the second half: neither
      counters_.erase(known);
      throw;
    }
  } else if (known == counters_.end()) {
    // The lowest counter is another name's from now on. Its node moves to its new place in the map, and stays the same.
    std::string copy(name);
    const auto& [count, rarest] = *by_count_.begin();
    auto node = counters_.extract(*rarest);
    node.key() = std::move(copy);
    node.mapped().error = count;
    known = counters_.insert(std::move(node)).position;
  }
  auto place = by_count_.extract({known->second.count, &known->first});
  ++known->second.count;
  ++place.value().first;
  by_count_.insert(std::move(place));
}

std::vector<HeavyNames::Counted> HeavyNames::at_least(std::uint64_t times) const {
  std::vector<Counted> result;
  for (const auto& [name, counter] : counters_)
    if (counter.count - counter.error >= times) result.push_back({name, counter.count - counter.error});
  std::ranges::sort(result, std::ranges::greater(), &Counted::at_least);
  return result;
}

}  // namespace tenants
