// Which names come most often, among more names than there is room for? Space-Saving (Metwally, Agrawal, El Abbadi:
// Efficient Computation of Frequent and Top-k Elements in Data Streams, 2005): as many counters as `capacity`; a name
// that has none takes over the lowest, and what that had counted is how much it may be too high by. So every name that
// comes more often than once in `capacity` times has a counter, and a count less its error is certain.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenants {

class HeavyNames {
 public:
  explicit HeavyNames(std::size_t capacity) : capacity_(capacity) {}

  struct Counted {
    std::string name;
    std::uint64_t at_least = 0;
  };

  void add(std::string_view name);  // O(log capacity)
  // The most frequent first; those that came at least so often for certain. O(capacity).
  std::vector<Counted> at_least(std::uint64_t times) const;

 private:
  struct Counter {
    std::uint64_t count = 0, error = 0;
  };
  std::size_t capacity_;
  std::map<std::string, Counter, std::less<>> counters_;
  std::set<std::pair<std::uint64_t, const std::string*>> by_count_;  // of every counter: its count, and its name there
};

}  // namespace tenants
