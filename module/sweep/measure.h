// What a key takes, as MEMORY USAGE says.
#pragma once

#include <optional>
#include <string_view>

#include "module/module.h"

namespace tenants {

struct Size {
  std::uint64_t bytes = 0;
  bool exact = true;  // not extrapolated from some of its elements
};

// Nothing where the server does not tell. O(elements), of some 10,000 at most. `length`: as ValueLength has it.
inline std::optional<Size> measure(Module& module, server_api::String* name, int type, std::size_t length) {
  // Collections up to so many elements are measured whole, at some 10 ns each; larger ones by their first elements, as
  // MEMORY USAGE does. Of lists and streams only the nodes are walked, which hold many elements each.
  constexpr std::size_t kWalkedElements = 10'000, kElementsOfANode = 16;
  bool of_nodes = type == server_api::kKeyTypeList || type == server_api::kKeyTypeStream;
  bool exact = type == server_api::kKeyTypeString || length <= kWalkedElements * (of_nodes ? kElementsOfANode : 1);
  module.sweep.was_measured();
  std::optional<std::uint64_t> bytes = module.ask.memory_usage(name, exact ? 0 : kWalkedElements);
  return bytes ? std::optional(Size{*bytes, exact}) : std::nullopt;
}

// The length of a string key, as Sample has it.
inline double string_length(const Module& module, std::string_view name, std::size_t value_length) {
  return static_cast<double>(value_length) + kPerKey +
         (module.names_are_measured ? static_cast<double>(name.size()) : 0);
}

}  // namespace tenants
