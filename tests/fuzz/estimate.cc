// The estimate of a prefix's memory stays a number, whatever the server says of its keys.
#include "module/accounting/estimate.h"

#include <cmath>

#include "tests/fuzz/input.h"

using namespace tenants;

namespace {

void is_sane(const Sample& sample, Input& input) {
  if (auto estimate = sample.estimate()) {
    require(std::isfinite(estimate->bytes) && estimate->bytes >= 0);
    if (estimate->error) require(std::isfinite(*estimate->error) && *estimate->error >= 0);
  }
  double lengths = input.ConsumeFloatingPointInRange(0.0, 1e15);
  double threshold = sample.threshold_for(lengths, input.ConsumeFloatingPointInRange(0.0, 0.5));
  require(std::isfinite(threshold) && threshold >= 0);
}

Sample sample(Input& input) {
  Sample sample;
  while (input.ConsumeBool()) {
    // names of up to 512 MB, values as long
    double length = kPerKey + static_cast<double>(input.ConsumeIntegralInRange<std::uint64_t>(0, 1 << 30));
    auto bytes = input.ConsumeIntegralInRange<std::uint64_t>(0, std::uint64_t{1} << 40);
    switch (input.ConsumeIntegralInRange(0, 4)) {
      case 0:
        if (sample.meet(length, input.ConsumeProbability<double>() * 0.999)) sample.measured(length, bytes);
        break;
      case 1:
        sample.meet(length, 0.999);
        sample.measured_anyway(length, bytes);
        break;
      case 2:
        sample.measured_other(bytes, input.ConsumeBool());
        break;
      case 3:
        sample.not_measured();
        break;
      case 4:
        sample.set_threshold(input.ConsumeFloatingPointInRange(0.0, 1e9));
        break;
    }
    is_sane(sample, input);
  }
  return sample;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Sample one = sample(input), other = sample(input);
  one.add(other);
  is_sane(one, input);
  return 0;
}
