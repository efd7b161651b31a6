// Which reads find their key? To ask for each would cost more than a GET does. So it is asked for some, by chance, and
// what is found stands for the others.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tenants {

// How well the keys of a prefix serve as a cache, since the counters began.
struct Cache {
  std::uint64_t hits = 0, misses = 0;  // estimates
  std::uint64_t looks = 0;             // what they come from
  std::uint64_t expired = 0, evicted = 0;

  // Nothing as long as chance could make it wrong by more than 10 points (two standard errors).
  std::optional<double> hit_ratio() const {
    if (hits + misses == 0 || (looks < 100 && looks < hits + misses)) return std::nullopt;
    return static_cast<double>(hits) / static_cast<double>(hits + misses);
  }

  void add(const Cache& other);
};

class LookupSampler {
 public:
  // A look costs some 3 µs, so there are never many more than this; where fewer commands come, all are looked at.
  static constexpr double kLooksPerSecond = 250;

  // `seed`: for the coins.
  explicit LookupSampler(std::uint64_t seed) : coins_(seed) { draw(); }

  // Is the command that begins one to be looked at? One subtraction.
  bool due() { return --left_ == 0; }
  // For how many commands the one that is due stands: each was it with a chance of one in so many.
  std::uint64_t stands_for() const { return gap_; }
  // To be called whenever due() says so: chooses the next one. Returns a number by chance.
  std::uint64_t draw();
  // So many seconds have passed since the last time: looks as often as the commands that came meanwhile allow. (Chance
  // has no memory: what is to come may be drawn anew at any time.)
  void adapt(double seconds);

  // A read or a write that waits for its client's EXEC. There is room for a few of each client and some thousands in
  // all, of keys with names that are not long; others are forgotten. So no client takes much memory, or the room of the
  // others.
  static constexpr std::size_t kLongestQueued = 256, kMostQueuedOfOne = 16, kMostQueued = 4096;
  struct Queued {
    std::string key;
    std::uint64_t stands_for;  // commands
    bool writes;
    bool looks;  // the key up: it counts as a hit or a miss
  };
  void queue(std::uint64_t client, Queued lookup);
  bool has_queued() const { return !queued_.empty(); }
  // Takes out what waits for this client. O(its own).
  std::vector<Queued> take_queued(std::uint64_t client);

  // In the command with this number; a refusal takes it back.
  void count(std::uint64_t sequence, Cache& cache, bool hit, std::uint64_t reads);
  void refused(std::uint64_t sequence);

 private:
  struct Counted {
    Cache* cache;
    bool hit;
    std::uint64_t reads;
  };

  static constexpr std::uint64_t kLongestGap = 1 << 16;
  static constexpr int kLooksBeforeDoubling = 32;

  std::uint64_t gap_ = 1;    // mean
  std::uint64_t drawn_ = 0;  // sum of the gaps since adapt(), the present one included
  int looks_ = 0;            // since adapt()
  std::uint64_t coins_;
  std::uint64_t sequence_ = 0;
  std::vector<Counted> counted_;                                   // in the command of that number
  std::unordered_map<std::uint64_t, std::vector<Queued>> queued_;  // by client
  std::size_t queued_in_all_ = 0;
  std::uint64_t left_ = 0;  // last: next to what the filter needs, too (module.h)
};

}  // namespace tenants
