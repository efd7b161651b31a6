// Which command runs within which? The stack tells: what the server calls from within a command lies below it.
//
// The main thread's; a place is an address on it. A call on another thread, which has the server to itself meanwhile,
// lies below all of them.
#pragma once

#include <cstdint>

namespace tenants {

class CallStack {
 public:
  // The server has called us there: what was noted at this height, or above, has ended. Not once more in the same call
  // when something has been noted of it. The plain path of the filter says so only where the server is to be asked.
  void reach(std::uintptr_t place) {
    place_ = place;
    if (place >= holder_) holder_ = 0;
    if (place >= script_call_) script_call_ = 0;
  }
  // The command that has been reached may let other clients' commands run before it has ended (a script for a long
  // time, RM_Yield).
  void may_hold() {
    if (!holder_) holder_ = place_;
  }
  // May such a command be at work? It is certain that it has ended once something is reached as high as that.
  bool is_within_command() const { return holder_ != 0; }

  // A script begins. A script calls the module's command that has been reached: what runs within that is its, not the
  // script's.
  void begin_script() { script_call_ = 0; }
  void begin_script_call() { script_call_ = place_; }
  bool is_within_script_call() const { return script_call_ != 0; }

 private:
  std::uintptr_t place_ = 0;
  std::uintptr_t holder_ = 0, script_call_ = 0;  // where it was reached; 0: none
};

}  // namespace tenants
