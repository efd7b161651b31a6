// What is known of some keys: those of a prefix, or of a database. By passes, which meet every key, and by looks at
// random places, which meet a few.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "module/accounting/estimate.h"
#include "module/accounting/largest.h"
#include "module/accounting/random_sample.h"

namespace tenants {

// What one pass saw of them.
struct Measured {
  std::uint64_t pass = 0;  // its number, from 1
  std::uint64_t seen = 0;  // keys met
  std::uint64_t with_ttl = 0;
  double ttl_msec = 0;  // of these, in all, from when they were met
  Sample sample;
  LargestKeys largest;
  std::uint32_t database = 0;  // the identity of that in which the first was met (SeenDatabases); 0: not known
  bool several = false;        // some were met in others

  void add(const Measured& other);
};

class SeenKeys {
 public:
  // What the pass of this number saw of it; null: none of its keys. Of the one that runs and the last complete one.
  const Measured* seen_in(std::uint64_t pass) const;
  // For the pass that runs; `complete`: the number of the last complete one, whose findings are kept.
  Measured& seen_now(std::uint64_t pass, std::uint64_t complete);
  // What was met at random places in this period, to be added to; and in this one, or this and the one before, nothing
  // where none of its keys was. Periods have numbers, from 1.
  RandomSample& met_now(std::uint64_t period);
  std::optional<RandomSample> met_in(std::uint64_t period, bool alone) const;
  bool was_met_in(std::uint64_t period) const {
    return met_ && period && met_->period <= period && met_->period + 1 >= period;
  }
  // These keys are among its own from now on.
  void take_over(SeenKeys& other);

 private:
  struct Met {
    std::uint64_t period = 0;
    RandomSample now, before;
  };
  std::unique_ptr<Measured> newer_, older_;
  std::unique_ptr<Met> met_;
};

}  // namespace tenants
