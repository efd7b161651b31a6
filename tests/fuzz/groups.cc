// tenants.groups: what is taken says the same when it is read again, what is refused changes nothing.
#include "module/accounting/groups.h"

#include <algorithm>

#include "tests/fuzz/input.h"

using namespace tenants;

namespace {

constexpr const char* kNames[] = {"a", "b", "web", "worker-1", "cart:", "invoices:2026", "", "%", "(other)"};

void say_the_same(const Groups& one, const Groups& other) {
  require(one.text() == other.text() && one.size() == other.size());
  for (std::uint32_t group = 0; group < one.size(); ++group) {
    require(one.name(group) == other.name(group));
    require(one.find(one.name(group)) == group);
  }
  for (const char* name : kNames) {
    require(one.of_user(name) == other.of_user(name));
    require(one.of_prefix(name) == other.of_prefix(name));
    if (auto group = one.of_user(name)) require(*group < one.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Groups groups;
  while (input.remaining_bytes()) {
    std::string text = input.ConsumeRandomLengthString();
    Groups before = groups;
    if (auto wrong = groups.set(text)) {
      require(!wrong->empty() && std::ranges::all_of(*wrong, [](char byte) { return byte >= ' ' && byte <= '~'; }));
      say_the_same(groups, before);
    } else {
      require(groups.text() == text);
      Groups again;
      require(!again.set(groups.text()));
      say_the_same(groups, again);
    }
  }
  return 0;
}
