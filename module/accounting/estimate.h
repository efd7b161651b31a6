// How much memory do the keys of a prefix take, when not all of them are measured?
//
// A pass meets every key, and learns its length at next to no cost. Strings are measured by chance: the longer, the
// likelier, and from some length on always (Poisson sampling, probability proportional to size). The measured ones tell
// how many bytes go with one byte of length, and the lengths of all are known: a ratio estimate, whose error comes from
// how much that ratio varies, not from how much sizes do. It assumes nothing about the order in which keys are met,
// only about our own coins. (Särndal, Swensson, Wretman: Model Assisted Survey Sampling, sections 3.5 and 7.3.)
// Whatever is no string is always measured: its length tells little.
//
// The interval holds at least 95 % of the time. It is 1.96 standard errors, and on top what a sample of this size
// cannot rule out: keys that it missed whose ratio is as far off as is possible at all (the rule of three).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace tenants {

// Length of a string key, as far as the estimate is concerned: bytes of name and value and kPerKey. `MEMORY USAGE` of a
// string lies between kLeastRatio and kMostRatio times that on every server (test_memory.py).
inline constexpr double kPerKey = 64;
inline constexpr double kLeastRatio = 0.15;
inline constexpr double kMostRatio = 2.6;
// How far off the ratio of a key that was not measured may be.
inline double furthest_from(double ratio) { return std::max({kMostRatio - ratio, ratio - kLeastRatio, 0.0}); }

// What came in none of n draws comes in no more than one of n / 3, with 95 %.
inline constexpr double kRuleOfThree = 3;

struct Estimate {
  double bytes = 0;
  std::optional<double> error;  // half of the interval's width; 0: everything was measured; nothing: not known
};

// Sums of squares over strings, each counted so many times: how far their bytes are from a ratio times their length.
struct Squares {
  double ll = 0, lb = 0, bb = 0;

  void add(double times, double length, double bytes) {
    ll += times * length * length;
    lb += times * length * bytes;
    bb += times * bytes * bytes;
  }
  void add(const Squares& other) {
    ll += other.ll;
    lb += other.lb;
    bb += other.bb;
  }
  // But for what rounding makes of it, not below 0.
  double residues(double ratio) const { return bb - 2 * ratio * lb + ratio * ratio * ll; }
};

// The keys of one prefix in one pass. Every operation O(1).
class Sample {
 public:
  // Keys shorter than `length` are measured with probability (their length) / `length` from now on, others always; 0:
  // all are.
  void set_threshold(double length) { threshold_ = length; }
  double threshold() const { return threshold_; }

  // A string was met; shall it be measured? `coin`: uniform in [0, 1).
  bool meet(double length, double coin) {
    lengths_ += length;
    return length > threshold_ * coin;
  }
  // As meet() said.
  void measured(double length, std::uint64_t bytes);
  // For another reason than the coin, one that does not depend on its size in bytes.
  void measured_anyway(double length, std::uint64_t bytes);
  // What is no string. `exact`: not extrapolated from some of its elements.
  void measured_other(std::uint64_t bytes, bool exact);
  // The server does not tell its size.
  void not_measured() { ++failed_; }

  std::uint64_t keys_measured() const { return strings_ + others_; }
  std::uint64_t strings_measured() const { return strings_; }
  // Nothing where keys were met, and the server told no size. Where chance measured no string, the middle of what is
  // possible.
  std::optional<Estimate> estimate() const;
  // The threshold that keeps the error of strings of this length in all, if they are like these, within `target` of
  // their bytes.
  double threshold_for(double lengths, double target) const;
  double lengths() const { return lengths_; }
  void add(const Sample& other);

 private:
  double threshold_ = 0;
  double lengths_ = 0;  // of all strings met
  std::uint64_t strings_ = 0, others_ = 0, failed_ = 0;
  bool exact_ = true;
  // Measured with certainty.
  double certain_lengths_ = 0, certain_bytes_ = 0, other_bytes_ = 0;
  // Measured by chance, each weighted by w, the inverse of its probability; and by w² − w, for the variance.
  double sampled_lengths_ = 0, sampled_bytes_ = 0;
  Squares variance_;
  double longest_chance_ = 0;  // the largest threshold by which one could be left out
  Squares per_length_;         // all strings measured, each w times for one of length: what threshold_for() needs
};

}  // namespace tenants
