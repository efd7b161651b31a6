// What the module does by itself: a timer in the server's event loop lets it work 50 times a second, and more often
// while there is much to do. Each chore is bounded: docs/architecture.md, "Work and its bounds".
#pragma once

#include <cstdint>

namespace tenants {

struct Module;

class Tick {
 public:
  explicit Tick(Module& module) : module_(module) {}

  // False where the event loop has no room.
  bool start();
  void stop();
  // The timer has fired.
  void work() noexcept;

 private:
  void arm(std::uint64_t usec);
  const char* hindered_by(bool script, bool loading) const;
  void adapt_lookups(std::uint64_t now);
  void work_on_tally(std::uint64_t now);
  bool ask_server(std::uint64_t now);
  void do_chores(std::uint64_t now);

  Module& module_;
  int timer_ = -1;
  std::uint64_t armed_usec_ = 0;    // how often it fires
  std::uint64_t adapted_usec_ = 0;  // when the sampling of lookups was
  std::uint64_t tallied_usec_ = 0;  // when the tally last went on
  bool called_ = false;             // each of the commands that are called for a pass
  std::uint64_t sequence_ = 0;      // of the command that ran last before
};

}  // namespace tenants
