#include "module/accounting/random_sample.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tenants {

namespace {

constexpr double kErrors = 2.1;  // standard ones; 1.96, and a little for what is only nearly normal

// Of a mean of n, by the sum of their squared residues.
double variance_of_mean(double residues, double n) { return std::max(0.0, residues) / std::max(n - 1, 1.0) / n; }

}  // namespace

void RandomSample::begin_key(std::uint64_t look) {
  if (std::exchange(look_, look) != look) in_look_ = 0;
  squares_of_looks_ += 2 * in_look_++ + 1;
}

void RandomSample::meet_string(double length) {
  ++strings_;
  lengths_ += length;
  lengths_squared_ += length * length;
  longest_ = std::max(longest_, length);
}

double RandomSample::chance(double length, double of) const {
  if (strings_measured_ == 0) return 1;
  double mean = lengths_ / strings_;
  return std::min(1.0, length / mean * std::sqrt(of / strings_) / 2);
}

void RandomSample::measure_string(double length, std::uint64_t bytes, double chance) {
  meet_string(length);
  auto size = static_cast<double>(bytes);
  double times = 1 / chance, more = times * times;
  ++strings_measured_;
  l_ += times * length;
  b_ += times * size;
  ll_ += times * length * length;
  bb_ += times * size * size;
  more_ll_ += more * length * length;
  more_lb_ += more * length * size;
  more_bb_ += more * size * size;
}

void RandomSample::measure_other(std::uint64_t bytes, bool exact) {
  auto size = static_cast<double>(bytes);
  ++others_;
  ++others_measured_;
  other_bytes_ += size;
  other_bytes_squared_ += size * size;
  largest_other_ = std::max(largest_other_, size);
  exact_ &= exact;
}

std::optional<Estimate> RandomSample::estimate(double looks, double keys, std::optional<double> largest,
                                               double together) const {
  if ((strings_ > 0 && strings_measured_ == 0) || (others_ > 0 && others_measured_ == 0) || met() == 0)
    return std::nullopt;
  double ratio = strings_ > 0 ? b_ / l_ : 0;
  double mean_other = others_ > 0 ? other_bytes_ / others_measured_ : 0;
  double sum = ratio * lengths_ + mean_other * others_;
  double squares = strings_ > 0 ? lengths_squared_ * bb_ / ll_ : 0;
  if (others_ > 0) squares += others_ * other_bytes_squared_ / others_measured_;
  double per_look = keys / looks, mean = sum / looks;
  Estimate result{per_look * sum, 0};
  double variance = keys * keys * std::max(0.0, squares / looks - mean * mean) / std::max(looks - 1, 1.0);
  double most = std::max({largest.value_or(0), ratio * longest_, largest_other_});
  *result.error = kRuleOfThree * per_look * most;
  if (strings_ > 0) {
    double residues = more_bb_ - 2 * ratio * more_lb_ + ratio * ratio * more_ll_, n = strings_measured_;
    variance += std::pow(per_look * lengths_ / l_, 2) * std::max(0.0, residues) * n / std::max(n - 1, 1.0);
    if (strings_ > strings_measured_)
      *result.error += kRuleOfThree / strings_measured_ * per_look * lengths_ * furthest_from(ratio);
  }
  if (others_ > others_measured_) {
    double residues = other_bytes_squared_ - other_bytes_ * mean_other;
    variance += std::pow(per_look * others_, 2) * variance_of_mean(residues, others_measured_);
    *result.error +=
        kRuleOfThree / others_measured_ * per_look * others_ * std::max(largest.value_or(0), largest_other_);
  }
  *result.error = std::hypot(*result.error * together, kErrors * std::sqrt(variance * together));
  if (!exact_) result.error.reset();
  return result;
}

void RandomSample::add(const RandomSample& other) {
  strings_ += other.strings_;
  lengths_ += other.lengths_;
  lengths_squared_ += other.lengths_squared_;
  longest_ = std::max(longest_, other.longest_);
  strings_measured_ += other.strings_measured_;
  l_ += other.l_;
  b_ += other.b_;
  ll_ += other.ll_;
  bb_ += other.bb_;
  more_ll_ += other.more_ll_;
  more_lb_ += other.more_lb_;
  more_bb_ += other.more_bb_;
  others_ += other.others_;
  others_measured_ += other.others_measured_;
  other_bytes_ += other.other_bytes_;
  other_bytes_squared_ += other.other_bytes_squared_;
  largest_other_ = std::max(largest_other_, other.largest_other_);
  exact_ &= other.exact_;
  look_ = std::max(look_, other.look_);
  squares_of_looks_ += other.squares_of_looks_;
}

}  // namespace tenants
