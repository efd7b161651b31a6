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

void on_tick(int fd, void*, int) noexcept {
  std::uint64_t ticks;
  if (::read(fd, &ticks, sizeof ticks) >= 0) module_state->tick.work();
}

}  // namespace

void Tick::arm(std::uint64_t usec) {
  if (armed_usec_ == usec) return;
  armed_usec_ = usec;
  timespec period{static_cast<time_t>(usec / kSecond), static_cast<long>(usec % kSecond * 1000)};
  itimerspec spec{period, period};
  timerfd_settime(timer_, 0, &spec, nullptr);
}

// Why the server must not be asked for keys now; null: it may.
const char* Tick::hindered_by(bool script, bool loading) const {
  if (script) return "script";
  if (loading) return "loading";
  if (module_.identity.monitors()) return "monitor";  // it would be shown all calls
  return module_.slow_log.has_ours() ? "slow_log" : nullptr;
}

void Tick::adapt_lookups(std::uint64_t now) {
  if (now - adapted_usec_ < kAdaptUsec) return;
  module_.lookups.adapt(static_cast<double>(now - adapted_usec_) / kSecond);
  adapted_usec_ = now;
}

void Tick::work_on_tally(std::uint64_t now) {
  if (now - tallied_usec_ < kIdleTickUsec) return;
  tallied_usec_ = now;
  module_.tallies.work(module_, static_cast<std::uint64_t>(module_.settings.slice_usec));
}

// Of identities, the ACL and connections' bytes: what calls take. False where the ACL is to be read on soon.
bool Tick::ask_server(std::uint64_t now) {
  bool acl_is_read = true;
  if (!std::exchange(called_, true) && !module_.slow_log.has_ours()) module_.ask.call_once();
  module_.acl_changes.tick();
  module_.acl.take_notice(true);
  if (module_.acl.is_due(now)) acl_is_read = module_.acl.go_on(static_cast<std::uint64_t>(module_.settings.slice_usec));
  module_.identity.be_right(Identity::Of::kEverybody, true);
  read_some_bytes(module_);
  return acl_is_read;
}

void Tick::do_chores(std::uint64_t now) {
  settle_watched_exec(module_);
  adapt_lookups(now);
  work_on_tally(now);
  if (std::exchange(module_.loaded, false)) module_.sweep.check_sums(false);
  module_.databases.tidy(module_.sweep.number(), module_.sweep.complete());
  int flags = api.GetContextFlags(nullptr);
  bool script = flags & server_api::kFlagLua;
  bool loading = flags & (server_api::kFlagLoading | server_api::kFlagAsyncLoading);
  if (flags & server_api::kFlagLoading && !module_.keyspace.importing()) learn_imports(module_);
  std::uint64_t usec = kIdleTickUsec;
  if (!script && !loading && !ask_server(now)) usec = kAclTickUsec;
  if (std::optional<std::uint64_t> rest = module_.sweep.work(hindered_by(script, loading)))
    usec = usec == kAclTickUsec ? std::min(usec, *rest) : *rest;
  arm(usec);
}

void Tick::work() noexcept {
  // What the server does when nobody has asked for anything for a while is its own work, and so is this.
  bool quiet = std::exchange(sequence_, module_.cpu.sequence()) == module_.cpu.sequence();
  module_.cpu.begin_own();
  module_.stack.reach(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
  if (!module_.stack.is_within_command()) module_.in_call = false;
  try {
    if (module_.cpu.maybe_slow()) note_if_slow(module_);
    std::uint64_t now = monotonic_usec();
    module_.cpu.keep_up(module_.core_wait.look(now), quiet, now);
    do_chores(now);
  } catch (...) {  // out of memory: the next tick tries again
  }
  module_.cpu.end_own(UserTable::kInternal, quiet);
}

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
bool Tick::start() {
  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer_ < 0) return false;
  if (api.EventLoopAdd(timer_, server_api::kEventLoopReadable, on_tick, nullptr) != server_api::kOk) {
    close(timer_);
    timer_ = -1;
    return false;
  }
  arm(kIdleTickUsec);
  return true;
}

void Tick::stop() {
  if (timer_ < 0) return;
  api.EventLoopDel(timer_, server_api::kEventLoopReadable);
  close(timer_);
}

}  // namespace tenants
