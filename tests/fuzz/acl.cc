// Key patterns of the ACL: what they own is where every key that they match begins.
#include "module/accounting/acl.h"

#include <algorithm>
#include <set>

#include "module/accounting/glob.h"
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

std::vector<UserKeys> users(Input& input) {
  std::vector<UserKeys> users;
  for (std::uint32_t user = 1; user < 8 && input.remaining_bytes(); ++user)
    users.push_back({.user = user,
                     .name = "app" + std::to_string(user),
                     .enabled = input.ConsumeBool(),
                     .heads = heads_of_keys(input.ConsumeRandomLengthString(128))});
  return users;
}

bool may_write(const UserKeys& user, const Head& head) {
  return std::ranges::any_of(
      user.heads, [&](const auto& own) { return own.writes && own.head == head.name && own.exact == head.exact; });
}

void each_head_has_one_owner_who_may_write(std::vector<UserKeys> users) {
  std::set<std::pair<std::string, bool>> written;
  for (const UserKeys& user : users)
    for (const PatternHead& head : user.heads)
      if (head.writes && !head.head.empty()) written.emplace(head.head, head.exact);
  std::vector<Head> heads = heads_with_owner(users);
  require(heads.size() == written.size());
  require(std::ranges::is_sorted(heads, {}, [](const Head& head) { return std::pair(head.name, head.exact); }));
  for (const Head& head : heads) {
    require(written.contains({head.name, head.exact}));
    require(may_write(users[head.owner - 1], head));
  }
  std::ranges::reverse(users);
  require(heads_with_owner(users) == heads);  // whoever is named first
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  heads_begin_what_matches(input);
  each_head_has_one_owner_who_may_write(users(input));
  return 0;
}
