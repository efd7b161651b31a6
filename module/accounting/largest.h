// The largest keys of a prefix, by their size in bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenants {

struct LargeKey {
  std::string name;
  std::uint64_t bytes = 0;
  int db = 0;
  int type = 0;  // as the module API has it
};

class LargestKeys {
 public:
  static constexpr std::size_t kKept = 10;
  static constexpr std::size_t kLongestName = 1024;  // longer ones are left out

  bool wants(std::uint64_t bytes) const { return keys_.size() < kKept || bytes > keys_.front().bytes; }
  // `may_grow`: there is memory for one more.  True where there is one more than before.
  bool add(LargeKey key, bool may_grow);
  // The largest first.
  std::vector<LargeKey> sorted() const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::vector<LargeKey> keys_;  // a heap, the smallest in front
};

}  // namespace tenants
