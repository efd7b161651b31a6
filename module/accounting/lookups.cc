#include "module/accounting/lookups.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "module/accounting/random.h"

namespace tenants {

void Cache::add(const Cache& other) {
  hits += other.hits;
  misses += other.misses;
  looks += other.looks;
  expired += other.expired;
  evicted += other.evicted;
}

std::uint64_t LookupSampler::draw() {
  if (++looks_ % kLooksBeforeDoubling == 0) gap_ = std::min(2 * gap_, kLongestGap);
  std::uint64_t x = splitmix64(coins_);
  left_ = 1;
  if (gap_ > 1) {  // geometric
    double coin = (static_cast<double>(x >> 11) + 1) * 0x1p-53;
    left_ += static_cast<std::uint64_t>(std::log(coin) / std::log1p(-1 / static_cast<double>(gap_)));
  }
  drawn_ += left_;
  return x * 0xd6e8feb86659fd93u >> 32;
}

void LookupSampler::adapt(double seconds) {
  auto commands = static_cast<double>(drawn_ - left_);
  gap_ = static_cast<std::uint64_t>(
      std::clamp(std::round(commands / (seconds * kLooksPerSecond)), 1.0, static_cast<double>(kLongestGap)));
  drawn_ = 0;
  looks_ = 0;
  draw();
}

void LookupSampler::count(std::uint64_t sequence, Cache& cache, bool hit, std::uint64_t reads) {
  if (sequence != sequence_) counted_.clear();
  sequence_ = sequence;
  counted_.push_back({&cache, hit, reads});
  (hit ? cache.hits : cache.misses) += reads;
  ++cache.looks;
}

void LookupSampler::refused(std::uint64_t sequence) {
  if (sequence != sequence_) return;
  for (const Counted& counted : counted_) {
    std::uint64_t& reads = counted.hit ? counted.cache->hits : counted.cache->misses;
    reads -= std::min(reads, counted.reads);
    counted.cache->looks -= counted.cache->looks > 0;
  }
  counted_.clear();
}

void LookupSampler::queue(std::uint64_t client, Queued lookup) {
  if (lookup.key.size() > kLongestQueued || queued_in_all_ >= kMostQueued) return;
  std::vector<Queued>& own = queued_[client];
  if (own.size() >= kMostQueuedOfOne) return;
  own.push_back(std::move(lookup));
  ++queued_in_all_;
}

std::vector<LookupSampler::Queued> LookupSampler::take_queued(std::uint64_t client) {
  auto found = queued_.find(client);
  if (found == queued_.end()) return {};
  std::vector<Queued> taken = std::move(found->second);
  queued_.erase(found);
  queued_in_all_ -= taken.size();
  return taken;
}

}  // namespace tenants
