// The table of prefixes against a plain search, with few rows, and names that meet each other.
#include "module/accounting/prefixes.h"

#include <functional>

#include "tests/fuzz/input.h"

using namespace tenants;

namespace {

constexpr std::string_view kLetters = "ab:;";

// The rows with this name; no two of the same kind.
std::uint32_t row_named(const PrefixTable& table, std::string_view name, bool exact) {
  std::uint32_t found = 0;
  for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row) {
    if (!table.used(row) || table[row].name != name || table[row].exact != exact) continue;
    require(!found);
    found = row;
  }
  return found;
}

std::uint32_t slowly(const PrefixTable& table, std::string_view key) {
  std::uint32_t best = 0;
  std::size_t length = 0;
  for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row) {
    const Prefix& prefix = table[row];
    if (!table.used(row) || !prefix.in_acl || prefix.name.size() < length) continue;
    if (prefix.exact ? key != prefix.name : !key.starts_with(prefix.name)) continue;
    if (prefix.name.size() > length || prefix.exact) best = row;
    length = prefix.name.size();
  }
  if (best) return best;
  std::size_t separator = key.find_first_of(table.separators());
  if (separator == std::string_view::npos) return PrefixTable::kNone;
  std::uint32_t row = separator < PrefixTable::kLongestName ? row_named(table, key.substr(0, separator + 1), false) : 0;
  return row ? row : PrefixTable::kOther;
}

std::string key(Input& input) {
  if (input.ConsumeIntegralInRange(0, 20) == 0) return std::string(250, 'x') + word(input, kLetters, 12);
  return word(input, kLetters, 8);
}

// Some heads leave the ACL, and some enter it.
void change_acl(Input& input, PrefixTable& table, const std::function<bool()>& make_room) {
  for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row)
    if (table.used(row) && table[row].in_acl && input.ConsumeBool()) table.leave_acl(row);
  for (int i = input.ConsumeIntegralInRange(0, 10); i > 0; --i) {
    std::string name = key(input);
    if (!name.empty()) table.enter_acl(name, input.ConsumeBool(), make_room);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  PrefixTable table(input.ConsumeIntegralInRange<std::size_t>(1, 12), ":", input.ConsumeIntegral<std::uint64_t>());
  auto release_orphan = [&] {
    for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row)
      if (table.used(row) && !table[row].in_acl) return table.release(row), true;
    return false;
  };
  while (input.remaining_bytes()) {
    switch (input.ConsumeIntegralInRange(0, 7)) {
      case 0:
        change_acl(input, table, release_orphan);
        break;
      case 1:
        change_acl(input, table, [] { return false; });
        break;
      case 2:
        release_orphan();
        break;
      case 3:
        table.reopen();
        break;
      case 4:
        table.set_separators(input.ConsumeBool() ? ":;" : ";");
        break;
      case 5:
        table.adopt(table.segment_of(key(input)).empty() ? "b:" : "a:");
        break;
      default: {
        std::string name = key(input);
        require(table.find(name) == slowly(table, name));
        std::uint32_t row = table.match(name);
        require(row == slowly(table, name) && table.used(row) && row < table.end());
      }
    }
    std::size_t used = 0;
    for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row) used += table.used(row);
    require(used == table.in_use() && used <= table.capacity());
  }
  return 0;
}
