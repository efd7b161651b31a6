// Is a command filter called for a command that a client has sent, or for a call by a module?
//
// The id that the filter is given does not tell. A client of the server's pool, with which modules and scripts call
// commands, keeps the id of the blocked client that it once served (RM_GetThreadSafeContext copies it), and the server
// never takes it back: a later call by anybody bears the id of a real client. The API has nothing else to ask.
//
// The stack tells. The server calls filters in one function, and that from two places: processCommand, and what runs a
// module's call. Where that function returns to is the proof, and lies at the same distance from where its stack ends
// each time. Both are found by a call of our own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "server_api/types.h"

namespace server_api {

struct CallByModule {
  static constexpr std::uintptr_t kUnknown = ~std::uintptr_t{0};
  std::uintptr_t returns_to = kUnknown;
  std::ptrdiff_t distance = 0;  // to the return address, from the end of the stack of the function that calls filters
};
inline constinit CallByModule call_by_module{};

// Once, when the module is loaded: calls PING with a filter that is registered for that moment.
void learn_nesting(Context* context);
// Once, in a filter that is called for a command of a client: is it the same function that calls it? Else what was
// learned is no proof, and forgotten. Some µs.
void confirm_nesting();
// Is there a proof? Else in_call_by_module() is always false.
inline bool nesting_is_known() { return call_by_module.returns_to != CallByModule::kUnknown; }

// Only in a filter's callback itself, on any thread. One load and one comparison.
[[gnu::always_inline]] inline bool in_call_by_module() {
  const auto* place = static_cast<const char*>(__builtin_dwarf_cfa()) + call_by_module.distance;
  return *reinterpret_cast<const std::uintptr_t*>(place) == call_by_module.returns_to;
}

}  // namespace server_api
