// The table of prefixes against a plain search, with few rows, and names that meet each other.
#include "module/accounting/prefixes.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include "module/accounting/glob.h"
#include "tests/fuzz/input.h"

using namespace tenants;

namespace {

constexpr std::string_view kLetters = "ab:;";

// The rows with this name; no two of the same kind.
std::uint32_t row_named(const PrefixTable& table, std::string_view name, Covers covers) {
  std::uint32_t found = 0;
  for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row) {
    if (!table.used(row) || table[row].name != name || table[row].covers != covers) continue;
    require(!found);
    found = row;
  }
  return found;
}

std::uint32_t slowly(const PrefixTable& table, int db, std::string_view key) {
  std::uint32_t best = 0, named = 0;
  std::tuple<std::size_t, int, std::size_t> best_rank;  // length of the head, what it covers, length of the name
  for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row) {
    const Prefix& prefix = table[row];
    if (!table.used(row)) continue;
    bool below = prefix.covers == Covers::kBelow && key.starts_with(prefix.name);
    if (prefix.named && below && (!named || prefix.name.size() > table[named].name.size())) named = row;
    Limits limits{{}, prefix.name};
    if (prefix.covers == Covers::kMatching) limits = limits_of_name(prefix.name);
    bool limited = !limits.databases.empty(), here = !limited;
    for_each_database(limits.databases, [&](int each) { here |= each == db; });
    bool has = below || (prefix.covers == Covers::kOne && key == prefix.name) ||
               (prefix.covers == Covers::kMatching && matches(limits.glob, key));
    if (!prefix.in_acl || !has || !here) continue;
    std::size_t head = prefix.covers == Covers::kMatching ? head_of_glob(limits.glob).size() : prefix.name.size();
    int order = prefix.covers == Covers::kOne ? 3 : limited ? 2 : prefix.covers == Covers::kMatching ? 1 : 0;
    std::tuple rank(head, order, limits.glob.size());
    auto name = [&](std::uint32_t of) { return std::pair(table[of].name.size(), std::string_view(table[of].name)); };
    if (!best || rank > best_rank || (rank == best_rank && name(row) < name(best))) best = row, best_rank = rank;
  }
  bool plain = !best || table[best].covers == Covers::kBelow;
  if (named && plain && (!best || table[named].name.size() > table[best].name.size())) return named;
  if (best) return best;
  std::size_t separator = key.empty() ? key.npos : key.find_first_of(table.separators(), 1);
  if (separator == std::string_view::npos) return PrefixTable::kNone;
  std::uint32_t row =
      separator < PrefixTable::kLongestName ? row_named(table, key.substr(0, separator + 1), Covers::kBelow) : 0;
  return row ? row : PrefixTable::kOther;
}

std::string key(Input& input) {
  if (input.ConsumeIntegralInRange(0, 20) == 0) return std::string(250, 'x') + word(input, kLetters, 12);
  return word(input, kLetters, 8);
}

// Some patterns leave the ACL, and some enter it; likewise tenants.prefixes.
void change_acl(Input& input, PrefixTable& table, const std::function<bool()>& make_room) {
  for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row) {
    if (table.used(row) && table[row].in_acl && input.ConsumeBool()) table.leave_acl(row);
    if (table.used(row) && table[row].named && input.ConsumeBool()) table.leave_named(row);
  }
  for (int i = input.ConsumeIntegralInRange(0, 10); i > 0; --i) {
    std::string name = key(input);
    auto covers = static_cast<Covers>(input.ConsumeIntegralInRange(0, 2));
    if (covers == Covers::kMatching) name += input.PickValueInArray({"*a", "?", "*:*", "[ab]*", "*", ""});
    if (covers == Covers::kMatching) name = input.PickValueInArray({"", "db=0 ~", "db=1 ~", "db=0-1 ~"}) + name;
    if (name.empty()) continue;
    if (covers == Covers::kBelow && input.ConsumeBool())
      table.enter_named(name, make_room);
    else
      table.enter_acl(name, covers, make_room);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  PrefixTable table(input.ConsumeIntegralInRange<std::size_t>(1, 12), ":", input.ConsumeIntegral<std::uint64_t>());
  auto release_orphan = [&] {
    for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row)
      if (table.used(row) && table[row].is_orphan()) return table.release(row), true;
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
        int db = input.ConsumeIntegralInRange(0, 2);
        require(table.find(db, name) == slowly(table, db, name));
        std::uint32_t row = table.match(db, name);
        require(row == slowly(table, db, name) && table.used(row) && row < table.end());
      }
    }
    std::size_t used = 0;
    for (std::uint32_t row = PrefixTable::kFirst; row < table.end(); ++row) used += table.used(row);
    require(used == table.in_use() && used <= table.capacity());
  }
  return 0;
}
