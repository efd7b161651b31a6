#include "module/accounting/random_sample.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tenants {

namespace {

constexpr double kErrors = 2.1;  // standard ones; 1.96, and a little for what is only nearly normal

}  // namespace

void RandomSample::Part::meet(double length) {
  ++met;
  lengths += length;
  lengths_squared += length * length;
  longest = std::max(longest, length);
}

double RandomSample::Part::chance(double length, double of) const {
  if (measured == 0) return 1;
  return std::min(1.0, length / (lengths / met) * std::sqrt(of / met) / 2);
}

void RandomSample::Part::measure(double length, std::uint64_t bytes, double chance) {
  meet(length);
  ++measured;
  auto size = static_cast<double>(bytes);
  largest = std::max(largest, size);
  double times = 1 / chance;
  once.add(times, length, size);
  twice.add(times * times, length, size);
}

void RandomSample::Part::Sums::add(double times, double length, double bytes) {
  n += times;
  l += times * length;
  b += times * bytes;
  ll += times * length * length;
  lb += times * length * bytes;
  bb += times * bytes * bytes;
}

void RandomSample::Part::Sums::add(const Sums& other) {
  n += other.n;
  l += other.l;
  b += other.b;
  ll += other.ll;
  lb += other.lb;
  bb += other.bb;
}

void RandomSample::Part::add(const Part& other) {
  met += other.met;
  lengths += other.lengths;
  lengths_squared += other.lengths_squared;
  longest = std::max(longest, other.longest);
  measured += other.measured;
  largest = std::max(largest, other.largest);
  once.add(other.once);
  twice.add(other.twice);
}

double RandomSample::Part::variance() const {
  if (measured == 0) return 0;
  double tried = std::min(1.0, once.n / met), r = ratio();
  auto residues = [r](const Sums& sums) { return sums.bb - 2 * r * sums.lb + r * r * sums.ll; };
  double left_out = std::max(0.0, residues(twice) - tried * residues(once));
  return std::pow(lengths / once.l, 2) * left_out * measured / std::max(measured - 1, 1.0);
}

void RandomSample::begin_key(std::uint64_t look) {
  if (std::exchange(look_, look) != look) in_look_ = 0;
  squares_of_looks_ += 2 * in_look_++ + 1;
}

std::optional<Estimate> RandomSample::estimate(double looks, double keys, std::optional<double> largest,
                                               double together) const {
  if ((strings_.met > 0 && strings_.measured == 0) || (others_.met > 0 && others_.measured == 0) || met() == 0)
    return std::nullopt;
  double sum = strings_.bytes() + others_.bytes(), squares = strings_.bytes_squared() + others_.bytes_squared();
  double per_look = keys / looks, mean = sum / looks;
  double of_looks = keys * keys * std::max(0.0, squares / looks - mean * mean) / std::max(looks - 1, 1.0);
  double variance = of_looks + per_look * per_look * (strings_.variance() + others_.variance());
  double most = std::max({largest.value_or(0), strings_.most(), others_.most()}), missed = kRuleOfThree * most;
  // Those that were met and not measured: of strings the length bounds the bytes.
  if (strings_.met > strings_.measured)
    missed += kRuleOfThree / strings_.measured * strings_.lengths * furthest_from(strings_.ratio());
  if (others_.met > others_.measured)
    missed += kRuleOfThree / others_.measured * others_.met * std::max(largest.value_or(0), others_.largest);
  Estimate result{per_look * sum, std::hypot(per_look * missed * together, kErrors * std::sqrt(variance * together))};
  if (!exact_) result.error.reset();
  return result;
}

void RandomSample::add(const RandomSample& other) {
  strings_.add(other.strings_);
  others_.add(other.others_);
  exact_ &= other.exact_;
  look_ = std::max(look_, other.look_);
  squares_of_looks_ += other.squares_of_looks_;
}

}  // namespace tenants
