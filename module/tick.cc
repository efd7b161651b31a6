// What the module does by itself: a timer descriptor in the server's event loop calls on_tick(), 50 times a second and
// more often while there is much to do. Each chore is bounded: docs/architecture.md, "Work and its bounds".
#include "module/tick.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;

namespace {

constexpr std::uint64_t kIdleTickUsec = 20'000;
constexpr std::uint64_t kAclTickUsec = 2'000;  // while the ACL is read: 10,000 users in some seconds
constexpr std::uint64_t kAdaptUsec = 100'000;

void arm(Tick& tick, std::uint64_t usec) {
  if (tick.armed_usec == usec) return;
  tick.armed_usec = usec;
  timespec period{static_cast<time_t>(usec / kSecond), static_cast<long>(usec % kSecond * 1000)};
  itimerspec spec{period, period};
  timerfd_settime(tick.timer, 0, &spec, nullptr);
}

// Why the server must not be asked for keys now; null: it may.
const char* hindered_by(const Module& module, bool script, bool loading) {
  if (script) return "script";
  if (loading) return "loading";
  if (module.identity.monitors()) return "monitor";  // it would be shown all calls
  return module.slow_log.has_ours() ? "slow_log" : nullptr;
}

void adapt_lookups(Module& module, std::uint64_t now) {
  Tick& tick = module.tick;
  if (now - tick.adapted_usec < kAdaptUsec) return;
  module.lookups.adapt(static_cast<double>(now - tick.adapted_usec) / kSecond);
  tick.adapted_usec = now;
}

void work_on_tally(Module& module, std::uint64_t now) {
  Tick& tick = module.tick;
  if (now - tick.tallied_usec < kIdleTickUsec) return;
  tick.tallied_usec = now;
  module.tallies.work(module, static_cast<std::uint64_t>(module.settings.slice_usec));
}

// Of identities, the ACL and connections' bytes: what calls take. False where the ACL is to be read on soon.
bool ask_server(Module& module, std::uint64_t now) {
  bool acl_is_read = true;
  if (!std::exchange(module.tick.called, true) && !module.slow_log.has_ours()) module.ask.call_once();
  module.acl_changes.tick();
  module.acl.take_notice(true);
  if (module.acl.is_due(now)) acl_is_read = module.acl.go_on(static_cast<std::uint64_t>(module.settings.slice_usec));
  module.identity.be_right(Identity::Of::kEverybody, true);
  read_some_bytes(module);
  return acl_is_read;
}

void do_chores(Module& module, std::uint64_t now) {
  settle_watched_exec(module);
  adapt_lookups(module, now);
  work_on_tally(module, now);
  if (std::exchange(module.loaded, false)) module.sweep.check_sums(false);
  module.databases.tidy(module.sweep.number(), module.sweep.complete());
  int flags = api.GetContextFlags(nullptr);
  bool script = flags & server_api::kFlagLua;
  bool loading = flags & (server_api::kFlagLoading | server_api::kFlagAsyncLoading);
  if (flags & server_api::kFlagLoading && !module.keyspace.importing()) learn_imports(module);
  std::uint64_t usec = kIdleTickUsec;
  if (!script && !loading && !ask_server(module, now)) usec = kAclTickUsec;
  if (std::optional<std::uint64_t> rest = module.sweep.work(hindered_by(module, script, loading)))
    usec = usec == kAclTickUsec ? std::min(usec, *rest) : *rest;
  arm(module.tick, usec);
}

void on_tick(int fd, void*, int) noexcept {
  std::uint64_t ticks;
  if (::read(fd, &ticks, sizeof ticks) < 0) return;
  Module& module = *module_state;
  // What the server does when nobody has asked for anything for a while is its own work, and so is this.
  bool quiet = std::exchange(module.tick.sequence, module.cpu.sequence()) == module.cpu.sequence();
  module.cpu.begin_own();
  module.stack.reach(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
  if (!module.stack.is_within_command()) module.in_call = false;
  try {
    if (module.cpu.maybe_slow()) note_if_slow(module);
    std::uint64_t now = monotonic_usec();
    module.cpu.keep_up(module.core_wait.look(now), quiet, now);
    do_chores(module, now);
  } catch (...) {  // out of memory: the next tick tries again
  }
  module.cpu.end_own(UserTable::kInternal, quiet);
}

}  // namespace

std::uint64_t monotonic_usec() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

std::uint64_t thread_cpu_usec() {
  timespec clock;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &clock);
  return static_cast<std::uint64_t>(clock.tv_sec) * kSecond + static_cast<std::uint64_t>(clock.tv_nsec) / 1000;
}

// A timer of the module API would make MODULE UNLOAD fail for as long as it is pending; a descriptor in the event loop
// does not.
bool start_ticks(Module& module) {
  Tick& tick = module.tick;
  tick.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (tick.timer < 0) return false;
  if (api.EventLoopAdd(tick.timer, server_api::kEventLoopReadable, on_tick, nullptr) != server_api::kOk) {
    close(tick.timer);
    tick.timer = -1;
    return false;
  }
  arm(tick, kIdleTickUsec);
  return true;
}

void stop_ticks(Module& module) {
  if (module.tick.timer < 0) return;
  api.EventLoopDel(module.tick.timer, server_api::kEventLoopReadable);
  close(module.tick.timer);
}

}  // namespace tenants
