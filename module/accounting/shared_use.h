// Who uses a prefix that more than its owner uses? Reads and writes by user, for as many commands as each command that
// was looked at by chance stands for (lookups.h).
//
// Prefixes and users are known by hashes of their names, so that nobody has to say when one goes: a row that is
// another's now has another hash. Bounded: kMost users of each of kMostPrefixes prefixes; who comes when there is no
// room takes the place of the one that did least, or of any prefix.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace tenants {

class SharedUse {
 public:
  static constexpr std::size_t kMost = 8, kMostPrefixes = 4096;  // 1.3 MB

  struct Use {
    std::uint64_t name = 0;               // of the user, hashed
    std::uint32_t user = 0;               // its row
    std::uint64_t reads = 0, writes = 0;  // estimates

    std::uint64_t all() const { return reads + writes; }
  };

  // In the command with this number; a refusal takes it back. O(1).
  void count(std::uint64_t sequence, std::uint64_t prefix, const Use& use);
  void refused(std::uint64_t sequence);
  void clear();

  // Somebody has used this prefix.
  bool has(std::uint64_t prefix) const { return prefixes_.contains(prefix); }
  // Calls `visit(use)` for each user of this prefix, who used it most first.
  template <typename Visit>
  void for_each(std::uint64_t prefix, Visit visit) const {
    auto found = prefixes_.find(prefix);
    if (found == prefixes_.end()) return;
    for (const Use& use : found->second)
      if (use.all()) visit(use);
  }

 private:
  struct Counted {
    std::uint64_t prefix;
    Use use;
  };
  using Uses = std::array<Use, kMost>;  // in order

  std::unordered_map<std::uint64_t, Uses> prefixes_;
  std::uint64_t sequence_ = 0;
  std::vector<Counted> counted_;  // in the command of that number
};

}  // namespace tenants
