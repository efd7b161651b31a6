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

  std::size_t memory() const { return sizeof *this + name.size(); }
};

class LargestKeys {
 public:
  static constexpr std::size_t kKept = 10;
  static constexpr std::size_t kLongestName = 1024;  // longer ones are left out

  bool wants(std::uint64_t bytes) const { return keys_.size() < kKept || bytes > keys_.front().bytes; }
  // Takes the key in if it is one of the largest, and if that takes no more than `room` bytes more. Returns how many
  // more, or fewer, it takes.
  std::ptrdiff_t add(LargeKey key, std::size_t room);
  void add(const LargestKeys& other);
  // In no order.
  const std::vector<LargeKey>& keys() const { return keys_; }
  std::size_t memory() const;
  // The largest one may not be among them: its name was too long, or there was no room.
  bool left_out() const { return left_out_; }

 private:
  std::vector<LargeKey> keys_;  // a heap, the smallest in front
  bool left_out_ = false;
};

}  // namespace tenants
