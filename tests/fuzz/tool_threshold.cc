// What an operator writes for a threshold. Refusals are one printable line with a column that is there; what is taken
// has a limit of its range, and says the same when its own words are read again.
#include <algorithm>

#include "tests/fuzz/input.h"
#include "tool/client/failure.h"
#include "tool/views/threshold.h"

using namespace tenants;
using namespace tenants::tool;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const MeasureOption& one : measures()) {
    try {
      Threshold threshold = parse_threshold(one.measure, text);
      require(threshold.measure == one.measure && threshold.limit >= 0 && threshold.limit < 1e31);
      require(threshold.beyond(threshold.limit) ==
              (threshold.is == Threshold::Operator::kAtLeast || threshold.is == Threshold::Operator::kAtMost));
      require(threshold.window == 0 || threshold.window == 10 || threshold.window == 60 || threshold.window == 300);
      require(threshold.range().find_first_not_of("@0123456789.:") == std::string::npos);
      threshold.means("name", "name", false);
      std::string who = threshold.prefix ? "prefix " + threshold.written : threshold.written;
      Threshold again = parse_threshold(one.measure, who + threshold.limit_text());
      require(again.of == threshold.of && again.window == threshold.window && again.name == threshold.name);
    } catch (const Failure& failure) {
      std::string_view line(failure.what());
      require(failure.code == Exit::kUsage && line.size() < 1000);
      require(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; }));
      std::size_t at = line.rfind("', column ");
      require(at != std::string_view::npos && std::stoul(std::string(line.substr(at + 10))) <= size + 1);
    }
  }
  return 0;
}
