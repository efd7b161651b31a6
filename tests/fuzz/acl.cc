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
  PatternHead head = head_of_glob(glob);
  require(head.head.size() <= glob.size());
  if (head.exact) require(matches(glob, head.head));
  if (matches(glob, text)) require(head.exact ? text == head.head : text.starts_with(head.head));
}

// Users come, change and go; at the end each head has the owner that it has where all are taken in once.
void owners_do_not_depend_on_the_order(Input& input) {
  UserTable users(8);
  PrefixTable changed(64, ":", 1), whole(64, ":", 1);
  Owners step_by_step(changed, users), at_once(whole, users);
  std::map<std::uint32_t, UserKeys> last;
  for (int i = 0; i < 8; ++i) last[users.add("app" + std::to_string(i))];
  while (input.remaining_bytes()) {
    auto& [user, keys] = *std::next(last.begin(), input.ConsumeIntegralInRange(0, 7));
    keys = {input.ConsumeBool(), heads_of_keys(input.ConsumeRandomLengthString(128))};
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
    for (std::uint32_t other : changed.named(prefix.name)) {
      if (changed[other].exact != prefix.exact || !changed[other].in_acl) continue;
      found = true;
      require(changed[other].owner == prefix.owner && changed[other].users == prefix.users);
      require(std::ranges::any_of(last[prefix.owner].heads, [&](const PatternHead& head) {
        return head.writes && head.head == prefix.name && head.exact == prefix.exact;
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
