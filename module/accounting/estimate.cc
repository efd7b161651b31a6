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
  variance_.add(variance, length, size);
  longest_chance_ = std::max(longest_chance_, threshold_);
  per_length_.add(weight / length, length, size);
}

void Sample::measured_anyway(double length, std::uint64_t bytes) {
  auto size = static_cast<double>(bytes);
  ++strings_;
  certain_lengths_ += length;
  certain_bytes_ += size;
  per_length_.add(1 / length, length, size);
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
    if (per_length_.ll == 0 && failed_ > 0) return std::nullopt;
    bool sampled = sampled_lengths_ > 0;
    double ratio = sampled              ? sampled_bytes_ / sampled_lengths_
                   : per_length_.ll > 0 ? per_length_.lb / per_length_.ll
                                        : std::midpoint(kLeastRatio, kMostRatio);
    double unknown = rest;
    if (sampled) {
      *result.error += kNormal95 * rest / sampled_lengths_ * std::sqrt(std::max(variance_.residues(ratio), 0.0));
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
  if (per_length_.ll == 0 || target <= 0) return 0;
  double r = per_length_.lb / per_length_.ll;
  double a = kNormal95 * std::sqrt(std::max(per_length_.residues(r), 0.0) * lengths / per_length_.ll);
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
  variance_.add(other.variance_);
  longest_chance_ = std::max(longest_chance_, other.longest_chance_);
  per_length_.add(other.per_length_);
}

}  // namespace tenants
