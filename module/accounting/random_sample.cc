#include "module/accounting/random_sample.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tenants {

namespace {

constexpr double kErrors = 2.1;  // standard ones; 1.96, and a little for what is only nearly normal

// His correction of a variance.
double bessel(double n) { return n / std::max(n - 1, 1.0); }

}  // namespace

double RandomSample::chance(double length, double of) const {
  if (strings_.measured == 0) return 1;
  return std::min(1.0, length / (strings_.lengths / strings_.met) * std::sqrt(of / strings_.met) / 2);
}

void RandomSample::meet_string(double length) {
  ++strings_.met;
  strings_.lengths += length;
  strings_.lengths_squared += length * length;
  strings_.longest = std::max(strings_.longest, length);
}

void RandomSample::measure_string(double length, std::uint64_t bytes, double chance) {
  meet_string(length);
  double times = 1 / chance;
  auto size = static_cast<double>(bytes);
  ++strings_.measured;
  strings_.standing_for += times;
  strings_.measured_lengths += times * length;
  strings_.measured_bytes += times * size;
  strings_.once.add(times, length, size);
  strings_.twice.add(times * times, length, size);
}

void RandomSample::measure_other(std::uint64_t bytes, bool exact) {
  auto size = static_cast<double>(bytes);
  ++others_.met;
  ++others_.measured;
  others_.b += size;
  others_.bb += size * size;
  others_.largest = std::max(others_.largest, size);
  exact_ &= exact;
}

void RandomSample::begin_key(std::uint64_t look) {
  if (std::exchange(look_, look) != look) in_look_ = 0;
  squares_of_looks_ += 2 * in_look_++ + 1;
}

double RandomSample::Strings::variance() const {
  if (measured == 0) return 0;
  double tried = std::min(1.0, standing_for / met);
  double left_out = std::max(0.0, twice.residues(ratio()) - tried * once.residues(ratio()));
  return std::pow(lengths / measured_lengths, 2) * left_out * bessel(measured);
}

double RandomSample::Others::variance() const {
  if (measured == 0) return 0;
  double left_out = (1 - measured / met) * std::max(0.0, bb - b * b / measured);
  return std::pow(met / measured, 2) * left_out * bessel(measured);
}

std::optional<Estimate> RandomSample::estimate(double looks, double keys, std::optional<double> largest,
                                               double together) const {
  if ((strings_.met > 0 && strings_.measured == 0) || (others_.met > 0 && others_.measured == 0) || met() == 0)
    return std::nullopt;
  double sum = strings_.bytes() + others_.bytes(), squares = strings_.bytes_squared() + others_.bytes_squared();
  double per_look = keys / looks, mean = sum / looks;
  double of_looks = keys * keys * std::max(0.0, squares / looks - mean * mean) / std::max(looks - 1, 1.0);
  double variance = of_looks + per_look * per_look * (strings_.variance() + others_.variance());
  double most_other = std::max(largest.value_or(0), others_.largest);
  double missed = kRuleOfThree * std::max(most_other, strings_.ratio() * strings_.longest);
  // Those that were met and not measured: of strings the length bounds the bytes.
  if (strings_.met > strings_.measured)
    missed += kRuleOfThree / strings_.measured * strings_.lengths * furthest_from(strings_.ratio());
  if (others_.met > others_.measured) missed += kRuleOfThree / others_.measured * others_.met * most_other;
  Estimate result{per_look * sum, std::hypot(per_look * missed * together, kErrors * std::sqrt(variance * together))};
  if (!exact_) result.error.reset();
  return result;
}

void RandomSample::Strings::add(const Strings& other) {
  met += other.met;
  lengths += other.lengths;
  lengths_squared += other.lengths_squared;
  longest = std::max(longest, other.longest);
  measured += other.measured;
  standing_for += other.standing_for;
  measured_lengths += other.measured_lengths;
  measured_bytes += other.measured_bytes;
  once.add(other.once);
  twice.add(other.twice);
}

void RandomSample::Others::add(const Others& other) {
  met += other.met;
  measured += other.measured;
  b += other.b;
  bb += other.bb;
  largest = std::max(largest, other.largest);
}

void RandomSample::add(const RandomSample& other) {
  strings_.add(other.strings_);
  others_.add(other.others_);
  exact_ &= other.exact_;
  look_ = std::max(look_, other.look_);
  squares_of_looks_ += other.squares_of_looks_;
}

}  // namespace tenants
