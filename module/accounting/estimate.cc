#include "module/accounting/estimate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tenants {
namespace {

constexpr double kNormal95 = 1.96;

}  // namespace

void Sample::measured(double length, std::uint64_t bytes) {
  if (length >= threshold_) return measured_anyway(length, bytes);
  auto size = static_cast<double>(bytes);
  double weight = threshold_ / length, variance = weight * weight - weight;
  ++strings_;
  sampled_lengths_ += weight * length;
  sampled_bytes_ += weight * size;
  variance_ll_ += variance * length * length;
  variance_lb_ += variance * length * size;
  variance_bb_ += variance * size * size;
  longest_chance_ = std::max(longest_chance_, threshold_);
  weighted_lengths_ += weight * length;
  weighted_bytes_ += weight * size;
  weighted_bb_per_length_ += weight * size * size / length;
}

void Sample::measured_anyway(double length, std::uint64_t bytes) {
  auto size = static_cast<double>(bytes);
  ++strings_;
  certain_lengths_ += length;
  certain_bytes_ += size;
  weighted_lengths_ += length;
  weighted_bytes_ += size;
  weighted_bb_per_length_ += size * size / length;
}

void Sample::measured_other(std::uint64_t bytes, bool exact) {
  ++others_;
  other_bytes_ += static_cast<double>(bytes);
  exact_ &= exact;
}

std::optional<Estimate> Sample::estimate() const {
  if (keys_measured() == 0 && failed_ > 0) return std::nullopt;
  double rest = lengths_ - certain_lengths_;
  Estimate result{certain_bytes_ + other_bytes_, 0};
  if (rest >= kPerKey) {  // the sums are whole numbers: there is a key
    if (weighted_lengths_ == 0 && failed_ > 0) return std::nullopt;
    bool sampled = sampled_lengths_ > 0;
    double ratio = sampled                 ? sampled_bytes_ / sampled_lengths_
                   : weighted_lengths_ > 0 ? weighted_bytes_ / weighted_lengths_
                                           : std::midpoint(kLeastRatio, kMostRatio);
    double unknown = rest;
    if (sampled) {
      double variance = variance_bb_ - 2 * ratio * variance_lb_ + ratio * ratio * variance_ll_;
      *result.error += kNormal95 * rest / sampled_lengths_ * std::sqrt(std::max(variance, 0.0));
      unknown = std::min(rest, kRuleOfThree * std::max(longest_chance_, threshold_));
    }
    *result.error += unknown * furthest_from(ratio);
    result.bytes += rest * ratio;
  }
  if (!exact_ || failed_ > 0) result.error.reset();
  return result;
}

// With V = threshold × A for the variance, A = Σ (bytes − ratio × length)² / length over all strings, the error is
// 1.96 √(A × threshold) + 3 × furthest × threshold: a quadratic equation for √threshold.
double Sample::threshold_for(double lengths, double target) const {
  if (weighted_lengths_ == 0 || target <= 0) return 0;
  double r = weighted_bytes_ / weighted_lengths_;
  double spread = weighted_bb_per_length_ - 2 * r * weighted_bytes_ + r * r * weighted_lengths_;
  double a = kNormal95 * std::sqrt(std::max(spread, 0.0) * lengths / weighted_lengths_);
  double b = kRuleOfThree * furthest_from(r);
  double root = (std::sqrt(a * a + 4 * b * target * r * lengths) - a) / (2 * b);
  return root * root;
}

void Sample::add(const Sample& other) {
  threshold_ = std::max(threshold_, other.threshold_);
  lengths_ += other.lengths_;
  strings_ += other.strings_;
  others_ += other.others_;
  failed_ += other.failed_;
  exact_ &= other.exact_;
  certain_lengths_ += other.certain_lengths_;
  certain_bytes_ += other.certain_bytes_;
  other_bytes_ += other.other_bytes_;
  sampled_lengths_ += other.sampled_lengths_;
  sampled_bytes_ += other.sampled_bytes_;
  variance_ll_ += other.variance_ll_;
  variance_lb_ += other.variance_lb_;
  variance_bb_ += other.variance_bb_;
  longest_chance_ = std::max(longest_chance_, other.longest_chance_);
  weighted_lengths_ += other.weighted_lengths_;
  weighted_bytes_ += other.weighted_bytes_;
  weighted_bb_per_length_ += other.weighted_bb_per_length_;
}

}  // namespace tenants
