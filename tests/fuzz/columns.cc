// The first places of an order against sorting all of them.
#include "module/accounting/columns.h"

#include <algorithm>

#include "tests/fuzz/input.h"

using namespace tenants;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  auto most = input.ConsumeIntegralInRange<std::size_t>(0, 40);
  First first(most);
  std::vector<Place> all;
  for (std::uint32_t row = 0; input.remaining_bytes(); ++row) {
    Place place{input.ConsumeBool() ? input.ConsumeIntegral<std::uint8_t>() : input.ConsumeIntegral<std::uint64_t>(),
                row};
    all.push_back(place);
    first.offer(place);
  }
  std::ranges::sort(all, [](const Place& a, const Place& b) { return a < b; });
  std::vector<Place> taken = first.take();
  require(taken.size() == std::min(most, all.size()));
  for (std::size_t i = 0; i < taken.size(); ++i) require(taken[i].score == all[i].score && taken[i].row == all[i].row);
  return 0;
}
