#include "module/accounting/largest.h"

#include <utility>

namespace tenants {
namespace {

bool larger(const LargeKey& a, const LargeKey& b) { return a.bytes > b.bytes; }

}  // namespace

bool LargestKeys::add(LargeKey key, bool may_grow) {
  if (!wants(key.bytes) || key.name.size() > kLongestName) return false;
  // A pass may meet a key twice, while the table it is in is resized.
  for (const LargeKey& known : keys_)
    if (known.bytes == key.bytes && known.db == key.db && known.name == key.name) return false;
  bool grows = keys_.size() < kKept && may_grow;
  if (!grows && (keys_.empty() || key.bytes <= keys_.front().bytes)) return false;
  if (!grows) {
    std::pop_heap(keys_.begin(), keys_.end(), larger);
    keys_.pop_back();
  }
  keys_.push_back(std::move(key));
  std::push_heap(keys_.begin(), keys_.end(), larger);
  return grows;
}

std::vector<LargeKey> LargestKeys::sorted() const {
  std::vector<LargeKey> result = keys_;
  std::sort(result.begin(), result.end(), larger);
  return result;
}

}  // namespace tenants
