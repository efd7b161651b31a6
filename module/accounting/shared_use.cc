#include "module/accounting/shared_use.h"

#include <algorithm>
#include <utility>

namespace tenants {

void SharedUse::count(std::uint64_t sequence, std::uint64_t prefix, const Use& use) {
  if (std::exchange(sequence_, sequence) != sequence) counted_.clear();
  counted_.push_back({prefix, use});
  auto found = prefixes_.find(prefix);
  if (found == prefixes_.end()) {
    if (prefixes_.size() == kMostPrefixes) prefixes_.erase(prefixes_.begin());
    found = prefixes_.try_emplace(prefix).first;
  }
  Uses& uses = found->second;
  auto own = std::ranges::find(uses, use.name, &Use::name);
  if (own == uses.end()) *(own = uses.end() - 1) = {.name = use.name};
  own->user = use.user;
  own->reads += use.reads;
  own->writes += use.writes;
  std::ranges::stable_sort(uses, std::ranges::greater(), &Use::all);
}

void SharedUse::refused(std::uint64_t sequence) {
  if (sequence != sequence_) return;
  for (const Counted& counted : std::exchange(counted_, {})) {
    auto found = prefixes_.find(counted.prefix);
    if (found == prefixes_.end()) continue;
    auto own = std::ranges::find(found->second, counted.use.name, &Use::name);
    if (own == found->second.end()) continue;
    own->reads -= std::min(own->reads, counted.use.reads);
    own->writes -= std::min(own->writes, counted.use.writes);
    std::ranges::stable_sort(found->second, std::ranges::greater(), &Use::all);
  }
}

void SharedUse::clear() {
  prefixes_.clear();
  counted_.clear();
}

}  // namespace tenants
