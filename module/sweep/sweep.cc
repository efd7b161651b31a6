#include "module/sweep/sweep.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "module/hooks/hooks.h"
#include "server_api/growth.h"

namespace tenants {

using server_api::api;

namespace {

constexpr long long kIdleTickUsec = 20'000;
constexpr long long kAclTickUsec = 2'000;  // while the ACL is read: 10,000 users in some seconds
constexpr std::uint64_t kSecond = 1'000'000;
// Collections up to so many elements are measured whole, at some 10 ns each; larger ones by their first elements, as
// MEMORY USAGE does. Of lists and streams only the nodes are walked, which hold many elements each.
constexpr long long kWalkedElements = 10'000;
constexpr long long kElementsOfANode = 16;
constexpr int kMaxFailedPasses = 5;
// So many strings of a prefix are measured before chance decides; they tell what it takes to meet tenants.target-error.
constexpr std::uint64_t kPilot = 1000;
// For all lists of largest keys of a pass, in bytes: some 80,000 keys.
constexpr std::size_t kLargestInAll = std::size_t{8} << 20;
// Names that are followed among those that fall under "(other)", and how many may get a row per pass.
constexpr std::size_t kHeavyNames = 1024;
constexpr std::size_t kAdopted = 64;
constexpr std::uint64_t kHastePercent = 20;
constexpr double kBusy = 0.9;  // of the main thread's time
constexpr std::uint64_t kBusyPeriodUsec = 100'000;
constexpr std::uint64_t kAdaptUsec = 100'000;

bool is_large(int type, std::size_t elements) {
  bool of_nodes = type == server_api::kKeyTypeList || type == server_api::kKeyTypeStream;
  return static_cast<long long>(elements) > kWalkedElements * (of_nodes ? kElementsOfANode : 1);
}

void arm(Sweep& sweep, long long usec) {
  if (sweep.armed_usec == usec) return;
  sweep.armed_usec = usec;
  timespec period{usec / 1'000'000, usec % 1'000'000 * 1000};
  itimerspec spec{period, period};
  timerfd_settime(sweep.timer, 0, &spec, nullptr);
}

double coin(Sweep& sweep) {  // xorshift64*
  sweep.coins ^= sweep.coins >> 12, sweep.coins ^= sweep.coins << 25, sweep.coins ^= sweep.coins >> 27;
  return static_cast<double>(sweep.coins * 0x2545f4914f6cdd1du >> 11) * 0x1p-53;
}

// Of the target, so that it is met by all of some hundred prefixes, and not just by 95 of them.
constexpr double kAim = 0.7;

double target(const Module& module) { return kAim * static_cast<double>(module.settings.target_error) / 100; }

// How many keys of this prefix there are to each that the pass has met.
double keys_per_met(const Module& module, std::uint32_t row, const Measured& pass) {
  const Sweep& sweep = module.sweep;
  if (module.keyspace.mode() != Keyspace::Mode::kExact)
    return static_cast<double>(sweep.keys_expected) / static_cast<double>(sweep.keys_seen);
  return static_cast<double>(module.keyspace.keys(row)) / static_cast<double>(pass.seen);
}

std::optional<std::uint64_t> memory_usage(server_api::Context* context, server_api::String* name, long long samples) {
  server_api::Reply size(api.Call(context, "MEMORY", "cscl", "USAGE", name, "SAMPLES", samples));
  ++module_state->sweep.keys_measured;
  if (!server_api::is(size.get(), server_api::kReplyInteger)) return std::nullopt;
  return static_cast<std::uint64_t>(api.CallReplyInteger(size.get()));
}

void note_largest(Module& module, Measured& pass, server_api::String* name, int type, std::uint64_t bytes) {
  if (!pass.largest.wants(bytes)) return;
  Sweep& sweep = module.sweep;
  sweep.largest_in_all += static_cast<std::size_t>(pass.largest.add(
      {std::string(server_api::view(name)), bytes, sweep.db, type}, kLargestInAll - sweep.largest_in_all));
}

// What the pass has seen of this prefix so far. Its strings are sampled as the last pass's tell, if they tell enough.
Measured& seen_now(Module& module, std::uint32_t row) {
  Prefix& prefix = module.prefixes[row];
  Measured& pass = prefix.seen_now(module.sweep.number, module.sweep.complete);
  if (pass.seen == 0)
    if (const Measured* last = prefix.seen_in(module.sweep.complete); last && last->sample.strings_measured() >= kPilot)
      pass.sample.set_threshold(last->sample.threshold_for(last->sample.lengths(), target(module)));
  return pass;
}

void measure_string(Module& module, server_api::Context* context, server_api::String* name, std::size_t value_length,
                    std::uint32_t row, Measured& pass) {
  auto length = static_cast<double>(value_length) + kPerKey;
  if (module.names_are_measured) length += static_cast<double>(server_api::view(name).size());
  bool by_chance = pass.sample.meet(length, coin(module.sweep));
  bool among_largest = pass.largest.wants(value_length);
  if (!by_chance && !among_largest) return;
  std::optional<std::uint64_t> bytes = memory_usage(context, name, 0);
  if (!bytes) return pass.sample.not_measured();
  if (among_largest)
    pass.sample.measured_anyway(length, *bytes);
  else
    pass.sample.measured(length, *bytes);
  note_largest(module, pass, name, server_api::kKeyTypeString, *bytes);
  if (pass.sample.strings_measured() == kPilot && pass.sample.threshold() == 0)
    pass.sample.set_threshold(
        pass.sample.threshold_for(pass.sample.lengths() * keys_per_met(module, row, pass), target(module)));
}

void on_scanned(server_api::Context* context, server_api::String* name, server_api::Key* key, void*) noexcept {
  Module& module = *module_state;
  try {
    Sweep& sweep = module.sweep;
    std::string_view bytes = server_api::view(name);
    std::uint32_t row = module.prefixes.match(bytes);
    module.keyspace.visit(sweep.db, row, bytes);
    if (row == PrefixTable::kOther)
      if (std::string_view segment = module.prefixes.segment_of(bytes); !segment.empty()) {
        if (!sweep.heavy) sweep.heavy.emplace(kHeavyNames);
        sweep.heavy->add(segment);
      }
    Measured& pass = seen_now(module, row);
    ++sweep.keys_seen;
    ++pass.seen;
    if (long long ttl = api.GetExpire(key); ttl >= 0) {
      sweep.met_ttl = true;
      ++pass.with_ttl;
      pass.ttl_msec += static_cast<double>(ttl);
    }
    int type = api.KeyType(key);
    std::size_t length = api.ValueLength(key);
    if (type == server_api::kKeyTypeString) return measure_string(module, context, name, length, row, pass);
    bool large = is_large(type, length);
    std::optional<std::uint64_t> size = memory_usage(context, name, large ? kWalkedElements : 0LL);
    if (!size) return pass.sample.not_measured();
    pass.sample.measured_other(*size, !large);
    note_largest(module, pass, name, type, *size);
  } catch (...) {  // out of memory: the pass will not add up, and is repeated
  }
}

std::optional<std::uint64_t> number_in(std::string_view info, const std::string& field) {
  std::size_t at = info.find("\n" + field + ":");
  if (at == std::string_view::npos) return std::nullopt;
  std::uint64_t value = 0;
  std::from_chars(info.data() + at + field.size() + 2, info.data() + info.size(), value);
  return value;
}

// Nothing where the server does not tell of every key that comes or goes.
std::optional<DataState> data_state(Module& module) {
  if (!module.keyspace.live()) return std::nullopt;
  server_api::Reply reply(api.Call(module.context.get(), "INFO", "c", "persistence"));
  std::string_view info = server_api::text(reply.get());
  std::optional<std::uint64_t> changes = number_in(info, "rdb_changes_since_last_save");
  std::optional<std::uint64_t> saved = number_in(info, "rdb_last_save_time");
  if (!changes || !saved) return std::nullopt;
  return DataState{module.key_events, *changes, *saved};
}

// Would a pass find what the last one found? Not for longer than an hour: a large hash may end its growth when it is
// read, and keys with a TTL come closer to their end.
bool is_unchanged(Module& module, std::uint64_t now) {
  constexpr std::uint64_t kLongest = 3600 * kSecond;
  const Sweep& sweep = module.sweep;
  return sweep.as_of && !sweep.met_ttl && now - sweep.measured_usec < kLongest && sweep.as_of == data_state(module);
}

void begin_pass(Module& module, std::uint64_t now) {
  Sweep& sweep = module.sweep;
  sweep.left = database_sizes(module).value_or(DatabaseSizes());
  sweep.keys_expected = keys_in(sweep.left);
  sweep.keys_seen = 0;
  sweep.began_usec = now;
  sweep.largest_in_all = 0;
  ++sweep.number;
  sweep.heavy.reset();
  sweep.as_of = data_state(module);
  sweep.met_ttl = false;
  module.keyspace.begin_pass(sweep.left, std::exchange(sweep.to_adopt, {}));
  if (module.owners.lacks_room() && module.prefixes.has_room()) module.acl.all_wanted = true;
  api.ScanCursorRestart(sweep.cursor);
  sweep.state = Sweep::State::kRunning;
}

void end_pass(Module& module, std::uint64_t now) {
  Sweep& sweep = module.sweep;
  sweep.state = Sweep::State::kWaiting;
  sweep.ended_usec = sweep.measured_usec = now;
  std::optional<DatabaseSizes> sizes = database_sizes(module);
  sweep.refused = !sizes;
  if (sweep.refused) return module.keyspace.abandon_pass();
  bool good = module.keyspace.end_pass(*sizes);
  if (good && sweep.heavy) {
    sweep.to_adopt = sweep.heavy->at_least(2);
    if (sweep.to_adopt.size() > kAdopted) sweep.to_adopt.resize(kAdopted);
    if (module.keyspace.displaces(sweep.to_adopt)) module.keyspace.request_seeding(false);
  }
  if (!good || !sweep.to_adopt.empty()) sweep.as_of.reset();
  sweep.complete = sweep.number;
  ++sweep.passes;
  sweep.failed_in_a_row = good ? 0 : sweep.failed_in_a_row + 1;
}

// Live counts against DBSIZE, which is O(1) to ask, database by database. `drift`: a difference is an error of ours.
void check_sums(Module& module, bool drift) {
  if (module.keyspace.mode() != Keyspace::Mode::kExact) return;
  bool good = module.keyspace.adds_up([&](int db) {
    api.SelectDb(module.context.get(), db);
    return api.DbSize(module.context.get());
  });
  if (!good) module.keyspace.request_seeding(drift);
}

// Asks the server only where its own counts don't tell.
std::uint64_t keys_now(Module& module) {
  if (module.keyspace.mode() == Keyspace::Mode::kExact && !module.sweep.refused) return module.keyspace.total();
  std::optional<DatabaseSizes> sizes = database_sizes(module);
  module.sweep.refused = !sizes;
  return sizes ? keys_in(*sizes) : 0;
}

// A pass that counts remembers the keys that appear meanwhile, and fails where there are too many. At this pace it
// would: then it takes more of the main thread, for some seconds.
bool keys_come_too_fast(const Module& module) {
  const Sweep& sweep = module.sweep;
  if (sweep.state != Sweep::State::kRunning || sweep.keys_expected == 0) return false;
  double progress = static_cast<double>(sweep.keys_seen) / static_cast<double>(sweep.keys_expected);
  constexpr double kMargin = 1.5;
  return kMargin * module.keyspace.haste() > progress;
}

// One bounded stretch of work; returns for how long to rest then, in µs.
std::uint64_t slice(Module& module) {
  Sweep& sweep = module.sweep;
  std::uint64_t start = monotonic_usec(), start_cpu = thread_cpu_usec(), now = start, longest_step = 0;
  auto limit = static_cast<std::uint64_t>(module.settings.slice_usec);
  server_api::Growth growth;
  std::uint64_t keys = sweep.preparing ? keys_now(module) : 0;
  while (sweep.preparing && now - start < limit) {
    bool ready = module.keyspace.prepare_pass(keys, sweep.scarce);
    if (!sweep.scarce && server_api::is_close_to_maxmemory()) {  // before the server evicts keys for it
      sweep.scarce = true;
      module.keyspace.forget_prepared();
    } else if (ready) {
      sweep.preparing = sweep.scarce = false;
      begin_pass(module, now);
    }
    now = monotonic_usec();
  }
  // A step takes a bucket of keys: no other one is begun that would not fit if it took as long as the longest did.
  while (sweep.state == Sweep::State::kRunning && !growth.used_up() &&
         (now == start || now - start + longest_step < limit)) {
    if (sweep.left.empty()) {
      end_pass(module, now);
      break;
    }
    sweep.db = sweep.left.begin()->first;
    api.SelectDb(module.context.get(), sweep.db);
    if (!api.Scan(module.context.get(), sweep.cursor, on_scanned, nullptr)) {
      api.ScanCursorRestart(sweep.cursor);
      sweep.left.erase(sweep.left.begin());
    }
    std::uint64_t before = std::exchange(now, monotonic_usec());
    longest_step = std::max(longest_step, now - before);
  }
  std::uint64_t spent = monotonic_usec() - start, cpu = thread_cpu_usec() - start_cpu;
  sweep.cpu_usec += cpu;
  ++sweep.slices;
  sweep.long_slices += cpu > 2 * limit;
  sweep.longest_slice_usec = std::max(sweep.longest_slice_usec, spent);
  sweep.longest_slice_cpu_usec = std::max(sweep.longest_slice_cpu_usec, cpu);
  // By the time that passed, so that a machine that swaps is left in peace. But a server that was stopped, or waited
  // for a core, in the middle of a slice is not to be without us for a hundred times as long.
  auto percent = static_cast<std::uint64_t>(module.settings.sweep_cpu_percent);
  if (keys_come_too_fast(module)) percent = std::max(percent, kHastePercent);
  std::uint64_t rest = std::min(spent * 100 / percent, std::max(cpu * 100 / percent, kSecond));
  return growth.used_up() ? std::max<std::uint64_t>(rest, kIdleTickUsec) : rest;
}

// For each command that was ever called the server keeps 24 kB of latencies, to be had at once: a server close to its
// maxmemory would refuse writes when the first string is measured. So it gets them now, where nothing is there yet.
void call_once(Module& module) {
  constexpr long long kNobody = 0x7fffffffffffffff;
  server_api::Reply usage(api.Call(module.context.get(), "MEMORY", "cc", "USAGE", ""));
  server_api::Reply list(api.Call(module.context.get(), "CLIENT", "ccl", "LIST", "ID", kNobody));
}

// A call per user leaves little else in a slow log of every command, so there it waits.
bool acl_is_due(Module& module, std::uint64_t now) {
  constexpr std::uint64_t kWait = 10 * kSecond;
  AclReading& acl = module.acl;
  if (!acl.can_be_read()) {
    acl.wanted_usec = 0;
    return false;
  }
  if (acl.wanted_usec == 0) acl.wanted_usec = now;
  if (now < acl.next_usec) return false;
  return !module.slow_log.has_ours() || now - acl.wanted_usec >= kWait;
}

// Has the main thread had little rest lately? Then the pass takes half of what it may.
bool is_busy(Sweep& sweep, std::uint64_t now) {
  if (now - sweep.load_usec < kBusyPeriodUsec) return sweep.busy;
  std::uint64_t cpu = thread_cpu_usec();
  sweep.busy = static_cast<double>(cpu - sweep.load_cpu_usec) > kBusy * static_cast<double>(now - sweep.load_usec);
  sweep.load_usec = now;
  sweep.load_cpu_usec = cpu;
  return sweep.busy;
}

void step(Module& module) {
  Sweep& sweep = module.sweep;
  const Settings& settings = module.settings;
  settle_watched_exec(module);
  std::uint64_t now = monotonic_usec();
  if (now - sweep.adapted_usec >= kAdaptUsec) {
    module.lookups.adapt(static_cast<double>(now - sweep.adapted_usec) / kSecond);
    sweep.adapted_usec = now;
  }
  if (now - sweep.tallied_usec >= kIdleTickUsec) {
    sweep.tallied_usec = now;
    module.tallies.work(module, static_cast<std::uint64_t>(settings.slice_usec));
  }
  long long tick = kIdleTickUsec;
  int flags = api.GetContextFlags(nullptr);
  if (std::exchange(module.loaded, false)) check_sums(module, false);
  bool busy = flags & (server_api::kFlagLoading | server_api::kFlagAsyncLoading | server_api::kFlagLua);
  if (!busy) {
    if (!std::exchange(sweep.called, true) && !module.slow_log.has_ours()) call_once(module);
    ++module.acl.ticks;
    note_acl_changes(module, true);
    if (acl_is_due(module, now) && !read_acl(module, static_cast<std::uint64_t>(settings.slice_usec)))
      tick = kAclTickUsec;
    settle_all(module, true);
    read_some_bytes(module);
  }
  now = monotonic_usec();
  bool running = sweep.state == Sweep::State::kRunning ||
                 (sweep.state == Sweep::State::kPaused && sweep.began_usec > sweep.ended_usec);
  if (settings.sweep_cpu_percent == 0) {
    if (running) module.keyspace.abandon_pass(), sweep.ended_usec = std::max(sweep.ended_usec, sweep.began_usec);
    sweep.state = Sweep::State::kOff;
    arm(sweep, tick);
    return;
  }
  if (busy || module.monitors || module.slow_log.has_ours()) {
    sweep.state = Sweep::State::kPaused;
    sweep.paused_by = flags & server_api::kFlagLua ? "script"
                      : busy                       ? "loading"
                      : module.monitors            ? "monitor"
                                                   : "slow_log";
    arm(sweep, tick);
    return;
  }
  sweep.state = running ? Sweep::State::kRunning : Sweep::State::kWaiting;
  bool outgrown = false;  // most keys came after the last pass: it tells little, don't wait for the interval
  if (!running && now - sweep.checked_usec >= kSecond) {
    sweep.checked_usec = now;
    outgrown = keys_now(module) > 2 * sweep.keys_seen;
    check_sums(module, module.imports == 0);
  }
  if (sweep.refused) {
    sweep.state = Sweep::State::kPaused;
    sweep.paused_by = "refused";
    return arm(sweep, tick);
  }
  bool seed_now = module.keyspace.wants_seeding() && sweep.failed_in_a_row < kMaxFailedPasses;
  auto interval = static_cast<std::uint64_t>(settings.sweep_interval) * kSecond;
  if (!running && !sweep.preparing) {
    bool due = sweep.began_usec == 0 || now - sweep.began_usec >= interval;
    if (due && !seed_now && !outgrown && interval > 0 && is_unchanged(module, now))
      sweep.began_usec = sweep.ended_usec = now;  // what the last one found holds now, too
    else
      sweep.preparing = due || seed_now || outgrown;
  }
  if (sweep.state != Sweep::State::kRunning && !sweep.preparing) return arm(sweep, tick);
  if (now < sweep.rests_until_usec)  // the tick came for the ACL
    return arm(sweep, std::min(tick, static_cast<long long>(sweep.rests_until_usec - now)));
  auto pause = static_cast<long long>(slice(module));
  pause = std::max(200LL, is_busy(sweep, now) ? 2 * pause : pause);
  sweep.rests_until_usec = now + static_cast<std::uint64_t>(pause);
  arm(sweep, tick == kAclTickUsec ? std::min(pause, tick) : pause);
}

void on_tick(int fd, void*, int) noexcept {
  std::uint64_t ticks;
  if (read(fd, &ticks, sizeof ticks) < 0) return;
  Module& module = *module_state;
  // What the server does when nobody has asked for anything for a while is its own work, and so is this.
  bool quiet = std::exchange(module.tick_sequence, module.cpu.sequence()) == module.cpu.sequence();
  module.cpu.begin_own();
  auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  if (frame >= module.tick_frame) {
    module.tick_frame = frame;
    module.outer_frame = 0;
    module.in_call = false;
  }
  module.frame = 0;
  try {
    if (module.cpu.maybe_slow()) note_if_slow(module);
    step(module);
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

std::optional<std::uint64_t> server_statistic(Module& module, const std::string& field) {
  server_api::Reply reply(api.Call(module.context.get(), "INFO", "c", "stats"));
  return number_in(server_api::text(reply.get()), field);
}

std::optional<DatabaseSizes> database_sizes(Module& module) {
  DatabaseSizes sizes;
  server_api::Reply reply(api.Call(module.context.get(), "INFO", "c", "keyspace"));
  if (!server_api::is(reply.get(), server_api::kReplyString)) return std::nullopt;
  std::string_view info = server_api::text(reply.get());
  for (std::size_t at = info.find("\ndb"); at != std::string_view::npos; at = info.find("\ndb", at)) {
    at += 3;
    int db = 0;
    std::uint64_t keys = 0;
    std::from_chars(info.data() + at, info.data() + info.size(), db);
    std::size_t value = info.find("keys=", at);
    if (value == std::string_view::npos) break;
    std::from_chars(info.data() + value + 5, info.data() + info.size(), keys);
    if (keys) sizes.emplace_hint(sizes.end(), db, keys);
  }
  return sizes;
}

// A timer of the module API would make MODULE UNLOAD fail for as long as it is pending; a descriptor in the event loop
// does not.
bool start_sweep(Module& module) {
  Sweep& sweep = module.sweep;
  sweep.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (sweep.timer < 0) return false;
  if (api.EventLoopAdd(sweep.timer, server_api::kEventLoopReadable, on_tick, nullptr) != server_api::kOk) {
    close(sweep.timer);
    sweep.timer = -1;
    return false;
  }
  sweep.cursor = api.ScanCursorCreate();
  arm(sweep, kIdleTickUsec);
  return true;
}

void stop_sweep(Module& module) {
  Sweep& sweep = module.sweep;
  if (sweep.timer < 0) return;
  api.EventLoopDel(sweep.timer, server_api::kEventLoopReadable);
  close(sweep.timer);
  api.ScanCursorDestroy(sweep.cursor);
}

}  // namespace tenants
