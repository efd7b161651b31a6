// What a page with few rows shows of readings in which tenants come, go, work and begin anew: never more rows than
// there may be, sums of gauges that are those of all rows, a counter "(other)" that never falls, and no work that
// nobody did.
#include <map>

#include "tests/fuzz/input.h"
#include "tool/exporter/selection.h"

using namespace tenants;
using namespace tenants::tool;
using namespace tenants::tool::tenant_column;

namespace {

struct Use {
  std::uint64_t commands = 0, bytes = 0;
};
using Tenants = std::map<std::string, Use>;

SharedReading reading_of(const Tenants& tenants, std::uint64_t number, std::uint64_t began) {
  Node node;
  node.address = node.id = "a:1";
  node.up = node.data_source = true;
  node.role = Role::kPrimary;
  node.status["reset_unix_seconds"] = std::to_string(began);
  for (const auto& [name, use] : tenants) {
    Row row{.name = name, .kind = Kind::kTenant, .owner = ""};
    row.values[kBytes] = use.bytes, row.values[kCommands] = use.commands;
    node.rows(Table::kTenants).push_back(std::move(row));
  }
  auto reading = std::make_shared<Reading>();
  reading->number = number;
  reading->snapshot.nodes.push_back(std::move(node));
  return reading;
}

std::uint64_t grown(const Tenants& before, const std::string& name, const Use& now) {
  auto was = before.find(name);
  return was == before.end() || was->second.commands > now.commands ? now.commands
                                                                    : now.commands - was->second.commands;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  auto most = input.ConsumeIntegralInRange<std::size_t>(1, 4);
  Selection selection(Table::kTenants, most);
  Tenants tenants, before;
  std::map<std::string, bool> shown_before;
  std::uint64_t began = 1, number = 0, other_before = 0;
  while (input.remaining_bytes()) {
    bool anew = input.ConsumeIntegralInRange<int>(0, 15) == 0;
    if (anew) {
      ++began;
      for (auto& [name, use] : tenants) use.commands = 0;
    }
    for (int changes = input.ConsumeIntegralInRange<int>(0, 6); changes; --changes) {
      std::string name(1, static_cast<char>('a' + input.ConsumeIntegralInRange<int>(0, 7)));
      if (input.ConsumeIntegralInRange<int>(0, 4) == 0) {
        tenants.erase(name);
        continue;
      }
      Use& use = tenants[name];
      use.commands += input.ConsumeIntegral<std::uint16_t>();
      use.bytes = input.ConsumeIntegral<std::uint16_t>();
    }
    SharedReading reading = reading_of(tenants, ++number, began);
    ShownNode page = selection.show(reading).at(0);
    ShownNode again = selection.show(reading).at(0);
    require(page.other == again.other && page.rows.size() == again.rows.size());

    require(page.rows.size() <= most && (tenants.size() <= most) <= (page.rows.size() == tenants.size()));
    std::uint64_t bytes = 0, all_bytes = 0, seen = 0, done = 0;
    std::map<std::string, bool> shown;
    for (const Shown& row : page.rows) {
      require(tenants.contains(row.name) && !shown[row.name]);
      shown[row.name] = true;
      bytes += row.row->values[kBytes];
      if (shown_before[row.name]) seen += grown(before, row.name, tenants[row.name]);
    }
    for (const auto& [name, use] : tenants) all_bytes += use.bytes, done += grown(before, name, use);
    std::uint64_t hidden = page.other ? (*page.other)[kBytes] : 0, other = page.other ? (*page.other)[kCommands] : 0;
    if (hidden != kAbsent) bytes += hidden;
    require(bytes == all_bytes);
    if (other == kAbsent) other = 0;
    if (!anew) {
      require(other >= other_before);
      if (number > 1) require(other - other_before + seen <= done);
    }
    before = tenants, shown_before = std::move(shown), other_before = other;
  }
  return 0;
}
