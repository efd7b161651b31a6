#include "module/accounting/largest.h"

#include <utility>

namespace tenants {
namespace {

bool larger(const LargeKey& a, const LargeKey& b) { return a.bytes > b.bytes; }

}  // namespace

std::ptrdiff_t LargestKeys::add(LargeKey key, std::size_t room) {
  if (!wants(key.bytes)) return 0;
  if (key.name.size() > kLongestName) return left_out_ = true, 0;
  // A pass may meet a key twice, while the table it is in is resized.
  for (const LargeKey& known : keys_)
    if (known.bytes == key.bytes && known.db == key.db && known.name == key.name) return 0;
  std::size_t more = key.memory(), less = 0;
  if (keys_.size() == kKept || more > room) {
    if (keys_.empty()) return left_out_ = true, 0;
    if (key.bytes <= keys_.front().bytes) return 0;
    less = keys_.front().memory();
    if (more > room + less) return left_out_ = true, 0;
    std::pop_heap(keys_.begin(), keys_.end(), larger);
    keys_.pop_back();
  }
  if (keys_.size() == 2) keys_.reserve(kKept);  // not the 16 that doubling would come to
  keys_.push_back(std::move(key));
  std::push_heap(keys_.begin(), keys_.end(), larger);
  return static_cast<std::ptrdiff_t>(more) - static_cast<std::ptrdiff_t>(less);
}

void LargestKeys::add(const LargestKeys& other) {
  for (const LargeKey& key : other.keys_) add(key, other.memory());
  left_out_ |= other.left_out_;
}

std::size_t LargestKeys::memory() const {
  std::size_t memory = 0;
  for (const LargeKey& key : keys_) memory += key.memory();
  return memory;
}

}  // namespace tenants
