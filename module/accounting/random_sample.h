// How much memory do the keys of a prefix take, as keys tell that were met at random places of the table?
//
// At each look every key has the same chance to be met, and may be met again. Of a string its length is known at once;
// some are measured, the longer the likelier, and tell how many bytes go with one byte of length. Of what is no string
// some are measured. So the estimate is the number of keys times the mean of what those met take, and its error has
// three parts: which keys were met, how much the ratio varies, how much the others do (two-phase sampling with a ratio:
// Särndal, Swensson, Wretman: Model Assisted Survey Sampling, sections 3.3 and 9.6).
//
// The interval is 2.1 standard errors, and on top what looks of this number cannot rule out (the rule of three): keys
// that were not met, each as large as the largest can be. Where nobody has met every key, nobody knows how large that
// is: then the interval speaks of keys no larger than the largest that was met.
//
// A look meets the keys of one bucket. Mostly chance has put them together, and each tells for itself. In cluster mode
// the keys of a hash tag are, and may be alike: so many that were met together count as one (the design effect of
// clusters that are all alike, section 8.7 there).
#pragma once

#include <cstdint>
#include <optional>

#include "module/accounting/estimate.h"

namespace tenants {

class RandomSample {
 public:
  // A string was met. `length`: as Sample has it.
  void meet_string(double length);
  // How likely the next string shall be measured, if it has this length: so that of n that are met some √(n × `of`)
  // are.
  double chance(double length, double of) const;
  // Likewise, and measured, which had this chance. Whether it was tried at all must not depend on its size.
  void measure_string(double length, std::uint64_t bytes, double chance);
  void meet_other() { ++others_; }
  // Comes before each key that is met, where keys of the same look may be alike. `look`: its number, from 1.
  void begin_key(std::uint64_t look);
  // `exact`: not extrapolated from some of its elements.
  void measure_other(std::uint64_t bytes, bool exact);

  double met() const { return strings_ + others_; }
  double strings_met() const { return strings_; }
  double others_met() const { return others_; }
  double strings_measured() const { return strings_measured_; }
  double others_measured() const { return others_measured_; }

  // Of `keys` keys `looks` were met, those of this sample among them: all keys of the prefix, or those of others, too,
  // where nobody knows how many are its own. `largest`: of a key, as far as is known from elsewhere. Nothing where
  // nothing was measured.
  // `together`: so many tell as much as one.
  std::optional<Estimate> estimate(double looks, double keys, std::optional<double> largest, double together = 1) const;
  // How many keys were met in the same look, of this sample: the mean over its keys; 1 without begin_key().
  double together() const { return look_ ? squares_of_looks_ / met() : 1; }

  void add(const RandomSample& other);

 private:
  double strings_ = 0, lengths_ = 0, lengths_squared_ = 0, longest_ = 0;
  double strings_measured_ = 0;
  // Sums over those, of length and bytes, each as often as the inverse of its chance says; and as the square of that.
  double l_ = 0, b_ = 0, ll_ = 0, bb_ = 0;
  double more_ll_ = 0, more_lb_ = 0, more_bb_ = 0;
  double others_ = 0, others_measured_ = 0, other_bytes_ = 0, other_bytes_squared_ = 0, largest_other_ = 0;
  bool exact_ = true;
  std::uint64_t look_ = 0;                     // the last one
  double in_look_ = 0, squares_of_looks_ = 0;  // keys met in it; the sum over all looks, of these squared
};

}  // namespace tenants
