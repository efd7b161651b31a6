// How much memory do the keys of a prefix take, as keys tell that were met at random places of the table?
//
// At each look every key has the same chance to be met, and may be met again. Of a string its length is known at once;
// some are measured, the longer the likelier, and tell how many bytes go with one byte of length. What is no string is
// measured, as far as there is time. So the estimate is the number of keys times the mean of what those met take, and
// its error has two parts: which keys were met, and how much those vary that were not measured (two-phase sampling with
// a ratio: Särndal, Swensson, Wretman: Model Assisted Survey Sampling, sections 3.3 and 9.6).
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
  // How likely the next string shall be measured, if it has this length: so that of n that are met some √(n × `of`)
  // are.
  double chance(double length, double of) const;
  // A string was met. `length`: as Sample has it.
  void meet_string(double length);
  // Likewise, and measured, which had this chance. Whether it was tried at all must not depend on its size.
  void measure_string(double length, std::uint64_t bytes, double chance);
  void meet_other() { ++others_.met; }
  // `exact`: not extrapolated from some of its elements.
  void measure_other(std::uint64_t bytes, bool exact);
  // Comes before each key that is met, where keys of the same look may be alike. `look`: its number, from 1.
  void begin_key(std::uint64_t look);

  double met() const { return strings_.met + others_.met; }
  double strings_measured() const { return strings_.measured; }
  double others_measured() const { return others_.measured; }

  // Of `keys` keys `looks` were met, those of this sample among them: all keys of the prefix, or those of others, too,
  // where nobody knows how many are its own. `largest`: of a key, as far as is known from elsewhere. Nothing where
  // nothing was measured.
  // `together`: so many tell as much as one.
  std::optional<Estimate> estimate(double looks, double keys, std::optional<double> largest, double together = 1) const;
  // How many keys were met in the same look, of this sample: the mean over its keys; 1 without begin_key().
  double together() const { return look_ ? squares_of_looks_ / met() : 1; }

  void add(const RandomSample& other);

 private:
  // Each tells what those that were met take, in all and squared, and the variance of that: not all were measured.
  struct Strings {
    double met = 0, lengths = 0, lengths_squared = 0, longest = 0;
    // Of those that were measured, each as often as the inverse of its chance says, or the square of that.
    double measured = 0, standing_for = 0, measured_lengths = 0, measured_bytes = 0;
    Squares once, twice;

    double ratio() const { return measured > 0 ? measured_bytes / measured_lengths : 0; }
    double bytes() const { return ratio() * lengths; }
    double bytes_squared() const { return measured > 0 ? lengths_squared * once.bb / once.ll : 0; }
    double variance() const;
    void add(const Strings& other);
  };
  struct Others {
    double met = 0, measured = 0, b = 0, bb = 0, largest = 0;

    double bytes() const { return measured > 0 ? met * b / measured : 0; }
    double bytes_squared() const { return measured > 0 ? met * bb / measured : 0; }
    double variance() const;
    void add(const Others& other);
  };

  Strings strings_;
  Others others_;
  bool exact_ = true;
  std::uint64_t look_ = 0;                     // the last one
  double in_look_ = 0, squares_of_looks_ = 0;  // keys met in it; the sum over all looks, of these squared
};

}  // namespace tenants
