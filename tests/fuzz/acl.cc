// Key patterns of the ACL: what they own is where every key that they match begins.
#include "module/accounting/acl.h"

#include <algorithm>
#include <map>

#include "module/accounting/glob.h"
#include "module/accounting/owners.h"
#include "tests/fuzz/input.h"

using namespace tenants;

namespace {

void heads_begin_what_matches(Input& input) {
  std::string glob = input.ConsumeRandomLengthString(64), text = input.ConsumeRandomLengthString(64);
  std::string head = head_of_glob(glob);
  require(head.size() <= glob.size());
  for (const KeyPattern& read : patterns_of_keys("~" + glob)) {
    KeyPattern limited = read;
    limit_to_databases(limited, {1, 2, 4});
    Limits limits = limits_of_name(limited.name);
    require(limits.databases == "1-2,4" && limits.glob == read.glob && limits_of_name(read.name).glob == read.name);
  }
  if (matches(glob, text)) require(text.starts_with(head));
  KeyPattern pattern = pattern_of_glob(glob);
  if (pattern.covers == Covers::kMatching)
    require(head_of_glob(pattern.name) == head && matches(pattern.name, text) == matches(glob, text));
  else
    require(pattern.name == head &&
            matches(glob, text) == (pattern.covers == Covers::kOne ? text == head : text.starts_with(head)));
}

// Users come, change and go; at the end each pattern has the owner that it has where all are taken in once.
void owners_do_not_depend_on_the_order(Input& input) {
  UserTable users(8);
  constexpr std::uint64_t kSeed = 0x243f6a8885a308d3;  // one that is not to be guessed by trying
  PrefixTable changed(64, ":", kSeed), whole(64, ":", kSeed);
  Owners step_by_step(changed, users), at_once(whole, users);
  std::map<std::uint32_t, UserKeys> last;
  for (int i = 0; i < 8; ++i) last[users.add("app" + std::to_string(i))];
  while (input.remaining_bytes()) {
    auto& [user, keys] = *std::next(last.begin(), input.ConsumeIntegralInRange(0, 7));
    keys = {input.ConsumeBool(), patterns_of_keys(input.ConsumeRandomLengthString(128))};
    std::vector<int> databases = databases_of_rule(input.PickValueInArray({"alldbs", "db=0", "db=0,1", "db=3,1,2"}));
    for (KeyPattern& pattern : keys.patterns)
      if (!databases.empty()) limit_to_databases(pattern, databases);
    step_by_step.set(user, keys);
    if (step_by_step.lacks_room()) return;
  }
  for (auto user = last.rbegin(); user != last.rend(); ++user) at_once.set(user->first, user->second);
  std::size_t in_acl = 0;
  for (std::uint32_t row = PrefixTable::kFirst; row < whole.end(); ++row) {
    const Prefix& prefix = whole[row];
    if (!prefix.in_acl) continue;
    ++in_acl;
    bool found = false;
    for (std::uint32_t other = PrefixTable::kFirst; other < changed.end(); ++other) {
      if (changed[other].name != prefix.name || changed[other].covers != prefix.covers || !changed[other].in_acl)
        continue;
      found = true;
      require(changed[other].owner == prefix.owner && changed[other].users == prefix.users);
      require(std::ranges::any_of(last[prefix.owner].patterns, [&](const KeyPattern& pattern) {
        return pattern.writes && pattern.name == prefix.name && pattern.covers == prefix.covers;
      }));
    }
    require(found);
  }
  for (std::uint32_t row = PrefixTable::kFirst; row < changed.end(); ++row) in_acl -= changed[row].in_acl;
  require(in_acl == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  heads_begin_what_matches(input);
  owners_do_not_depend_on_the_order(input);
  return 0;
}
