#include "server_api/nesting.h"

#include <unwind.h>

#include "server_api/call.h"

namespace server_api {
namespace {

// Where the innermost functions are at work, ours first.
struct Frames {
  static constexpr int kMost = 8;
  std::uintptr_t address[kMost] = {};
  int count = 0;

  [[gnu::noinline]] void read() {
    _Unwind_Backtrace(
        [](_Unwind_Context* context, void* data) {
          auto& frames = *static_cast<Frames*>(data);
          frames.address[frames.count++] = _Unwind_GetIP(context);
          return frames.count < kMost ? _URC_NO_REASON : _URC_END_OF_STACK;
        },
        this);
  }
  void* function(int number) const {
    return _Unwind_FindEnclosingFunction(
        reinterpret_cast<void*>(address[number]));  // NOLINT(performance-no-int-to-ptr)
  }
};

CallByModule found;
void* calls_filters = nullptr;

// Above it: what calls filters, and what runs the call of a module. It reads across other functions' stacks, which
// AddressSanitizer takes for an error.
[[gnu::noinline, gnu::no_sanitize_address]] void on_own_call(FilterContext*) noexcept {
  constexpr std::ptrdiff_t kFarthest = 1024;
  Frames frames;
  frames.read();
  auto caller = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  int number = 0;
  while (number < frames.count && frames.address[number] != caller) ++number;
  if (number + 1 >= frames.count) return;
  std::uintptr_t returns_to = frames.address[number + 1];
  const auto* end = static_cast<const char*>(__builtin_dwarf_cfa());
  for (std::ptrdiff_t distance = 0; distance < kFarthest; distance += sizeof returns_to)
    if (*reinterpret_cast<const std::uintptr_t*>(end + distance) == returns_to) {
      found = {returns_to, distance};
      calls_filters = frames.function(number);
      return;
    }
}

}  // namespace

void learn_nesting(Context* context) {
  call_by_module = found = {};
  Filter* filter = api.RegisterCommandFilter(context, on_own_call, 0);
  if (!filter) return;
  Reply reply(api.Call(context, "PING", ""));
  api.UnregisterCommandFilter(context, filter);
  call_by_module = found;
}

void confirm_nesting() {
  Frames frames;
  frames.read();
  for (int number = 0; number < frames.count; ++number)
    if (frames.function(number) == calls_filters) return;
  call_by_module = {};
}

}  // namespace server_api
