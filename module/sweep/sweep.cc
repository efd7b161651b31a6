#include "module/sweep/sweep.h"

#include <algorithm>
#include <span>
#include <utility>

#include "module/sweep/measure.h"
#include "server_api/growth.h"

namespace tenants {

using server_api::api;

namespace {

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
constexpr std::uint64_t kShortRestUsec = 200, kLongRestUsec = 20'000;

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

// What the pass has seen so far of this prefix in the database that it is at; null where that is all of the prefix, or
// there is no room. To be called before the key is counted in `pass`, that of the prefix.
Measured* seen_here(Module& module, std::uint32_t row, Measured& pass) {
  Sweep& sweep = module.sweep;
  std::uint32_t here = sweep.database ? sweep.database->identity : 0;
  if (pass.seen == 0) pass.database = here;
  if (pass.database == here && !pass.several) return nullptr;
  std::uint64_t name = module.prefixes.identity(row);
  auto in = [&](std::uint32_t database) -> Measured* {
    SeenKeys* pair = database ? module.databases.make_pair(database, row, name) : nullptr;
    return pair ? &pair->seen_now(sweep.number, sweep.complete) : nullptr;
  };
  if (!std::exchange(pass.several, true))
    if (Measured* first = in(pass.database)) {  // what was seen so far was there
      first->seen = pass.seen;
      first->sample = pass.sample;
    }
  return in(here);
}

void measure_string(Module& module, server_api::String* name, std::size_t value_length, std::uint32_t row,
                    std::span<Measured* const> seen_by) {
  Measured& pass = *seen_by.front();
  double length = string_length(module, server_api::view(name), value_length), chance = coin(module.sweep);
  bool by_chance = pass.sample.meet(length, chance);
  for (Measured* of : seen_by.subspan(1)) {
    of->sample.set_threshold(pass.sample.threshold());
    of->sample.meet(length, chance);
  }
  bool among_largest = pass.largest.wants(value_length);
  if (!by_chance && !among_largest) return;
  std::optional<Size> size = measure(module, name, server_api::kKeyTypeString, value_length);
  for (Measured* of : seen_by)
    if (!size)
      of->sample.not_measured();
    else if (among_largest)
      of->sample.measured_anyway(length, size->bytes);
    else
      of->sample.measured(length, size->bytes);
  if (!size) return;
  note_largest(module, pass, name, server_api::kKeyTypeString, size->bytes);
  if (pass.sample.strings_measured() == kPilot && pass.sample.threshold() == 0)
    pass.sample.set_threshold(
        pass.sample.threshold_for(pass.sample.lengths() * keys_per_met(module, row, pass), target(module)));
}

void on_scanned(server_api::Context*, server_api::String* name, server_api::Key* key, void*) noexcept {
  Module& module = *module_state;
  try {
    Sweep& sweep = module.sweep;
    std::string_view bytes = server_api::view(name);
    std::uint32_t row = module.prefixes.match(module.sweep.db, bytes);
    module.keyspace.visit(sweep.db, row, bytes);
    if (row == PrefixTable::kOther)
      if (std::string_view segment = module.prefixes.segment_of(bytes); !segment.empty()) {
        if (!sweep.heavy) sweep.heavy.emplace(kHeavyNames);
        sweep.heavy->add(segment);
      }
    Measured& pass = seen_now(module, row);
    // Of its prefix, of its database, and of both together.
    Measured* records[] = {&pass, nullptr, nullptr};
    std::size_t known = 1;
    if (Measured* here = seen_here(module, row, pass)) records[known++] = here;
    if (sweep.database) records[known++] = &sweep.database->seen_now(sweep.number, sweep.complete);
    auto seen_by = std::span(records).first(known);
    ++sweep.keys_seen;
    long long ttl = api.GetExpire(key);
    sweep.met_ttl |= ttl >= 0;
    for (Measured* of : seen_by) {
      ++of->seen;
      if (ttl < 0) continue;
      ++of->with_ttl;
      of->ttl_msec += static_cast<double>(ttl);
    }
    int type = api.KeyType(key);
    std::size_t length = api.ValueLength(key);
    if (type == server_api::kKeyTypeString) return measure_string(module, name, length, row, seen_by);
    std::optional<Size> size = measure(module, name, type, length);
    for (Measured* of : seen_by) size ? of->sample.measured_other(size->bytes, size->exact) : of->sample.not_measured();
    if (size) note_largest(module, pass, name, type, size->bytes);
  } catch (...) {  // out of memory: the pass will not add up, and is repeated
  }
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
  sweep.left = module.ask.databases().value_or(DatabaseSizes());
  sweep.keys_expected = keys_in(sweep.left);
  sweep.keys_seen = 0;
  sweep.largest_in_all = 0;
  ++sweep.number;
  sweep.heavy.reset();
  sweep.as_of = data_state(module);
  sweep.met_ttl = false;
  sweep.database = nullptr;
  module.databases.forget_if([&](int db) { return !sweep.left.contains(db); });
  module.keyspace.begin_pass(sweep.left, std::exchange(sweep.to_adopt, {}));
  if ((module.owners.lacks_room() || module.named_lack_room) && module.prefixes.has_room())
    module.acl_changes.read_all();
  api.ScanCursorRestart(sweep.cursor.get());
  sweep.schedule.begin(now);
}

void end_pass(Module& module, std::uint64_t now) {
  Sweep& sweep = module.sweep;
  std::optional<DatabaseSizes> sizes = module.ask.databases();
  sweep.schedule.answered(sizes.has_value());
  if (!sizes) return module.keyspace.abandon_pass();
  bool good = module.keyspace.end_pass(*sizes);
  if (good && sweep.heavy) {
    sweep.to_adopt = sweep.heavy->at_least(2);
    if (sweep.to_adopt.size() > kAdopted) sweep.to_adopt.resize(kAdopted);
    if (module.keyspace.displaces(sweep.to_adopt)) module.keyspace.request_seeding(false);
  }
  if (!good || !sweep.to_adopt.empty()) sweep.as_of.reset();
  if (good && !module.keyspace.wants_seeding()) sweep.moved = false;
  // One in which keys moved says what they are neither before nor after: the last one holds on, as the counts do.
  if (!sweep.moved) sweep.complete = sweep.number;
  ++sweep.passes;
  sweep.measured_usec = now;
  sweep.schedule.end(now, good);
}

// Asks the server only where its own counts don't tell.
std::uint64_t keys_now(Module& module) {
  bool counted = module.keyspace.mode() == Keyspace::Mode::kExact && module.sweep.schedule.was_answered();
  if (counted) return module.keyspace.total();
  std::optional<DatabaseSizes> sizes = module.ask.databases();
  module.sweep.schedule.answered(sizes.has_value());
  return sizes ? keys_in(*sizes) : 0;
}

// A pass that counts remembers the keys that appear meanwhile, and fails where there are too many. At this pace it
// would: then it takes more of the main thread, for some seconds.
bool keys_come_too_fast(const Module& module) {
  const Sweep& sweep = module.sweep;
  if (!sweep.schedule.under_way() || sweep.keys_expected == 0) return false;
  double progress = static_cast<double>(sweep.keys_seen) / static_cast<double>(sweep.keys_expected);
  constexpr double kMargin = 1.5;
  return kMargin * module.keyspace.haste() > progress;
}

// Where to scan, and whose keys these are.
void select(Module& module, int db) {
  Sweep& sweep = module.sweep;
  api.SelectDb(module.context.get(), db);
  if (std::exchange(sweep.db, db) == db && sweep.database) return;
  sweep.database = module.databases.make(db);
}

// A stretch of the pass.
void go_on(Module& module, std::uint64_t start, std::uint64_t limit, const server_api::Growth& growth) {
  Sweep& sweep = module.sweep;
  std::uint64_t now = start, longest_step = 0;
  std::uint64_t keys = sweep.schedule.preparing() ? keys_now(module) : 0;
  while (sweep.schedule.preparing() && now - start < limit) {
    bool ready = module.keyspace.prepare_pass(keys, sweep.scarce);
    if (!sweep.scarce && server_api::is_close_to_maxmemory()) {  // before the server evicts keys for it
      sweep.scarce = true;
      module.keyspace.forget_prepared();
    } else if (ready) {
      sweep.scarce = false;
      begin_pass(module, now);
    }
    now = monotonic_usec();
  }
  // A step takes a bucket of keys: no other one is begun that would not fit if it took as long as the longest did.
  while (sweep.schedule.under_way() && !growth.used_up() && (now == start || now - start + longest_step < limit)) {
    if (sweep.left.empty()) {
      end_pass(module, now);
      break;
    }
    select(module, sweep.left.begin()->first);
    if (!api.Scan(module.context.get(), sweep.cursor.get(), on_scanned, nullptr)) {
      api.ScanCursorRestart(sweep.cursor.get());
      sweep.left.erase(sweep.left.begin());
    }
    std::uint64_t before = std::exchange(now, monotonic_usec());
    longest_step = std::max(longest_step, now - before);
  }
}

// A stretch of looks at random places.
void look_around(Module& module, std::uint64_t start, std::uint64_t limit, const server_api::Growth& growth) {
  std::uint64_t now = start, longest_step = 0;
  while (!growth.used_up() && (now == start || now - start + longest_step < limit)) {
    module.places.look(module);
    std::uint64_t before = std::exchange(now, monotonic_usec());
    longest_step = std::max(longest_step, now - before);
  }
}

constexpr std::uint64_t kBurstSeconds = 5;
// Of the stretches while a pass is under way, and of what the pass may take while none is, so many are for looks.
constexpr std::uint64_t kOneTurnOf = 8, kRestsLonger = 4;

// For the first answer after loading, more of the main thread for some seconds.
bool bursts(const Module& module) {
  auto percent = static_cast<std::uint64_t>(module.settings.burst_cpu_percent);
  return module.places.is_new() && module.sweep.burst_usec < percent * kBurstSeconds * kSecond / 100;
}

// Is this turn for looks? All are while the first answer is burst out, then every other one until it is there.
bool is_for_looks(Module& module) {
  Sweep& sweep = module.sweep;
  if (!sweep.schedule.has_work() || bursts(module)) return true;
  if (keys_come_too_fast(module)) return false;
  if (!module.places.is_new()) return sweep.turns++ % kOneTurnOf == 0;
  constexpr double kManyKeys = 500'000;  // the pass takes minutes anyway
  return module.places.keys() >= kManyKeys || sweep.turns++ % 2 == 0;
}

// One bounded stretch of work; returns for how long to rest then, in µs.
std::uint64_t slice(Module& module, bool looks) {
  Sweep& sweep = module.sweep;
  auto limit = static_cast<std::uint64_t>(module.settings.slice_usec);
  auto percent = static_cast<std::uint64_t>(module.settings.sweep_cpu_percent);
  bool burst = looks && bursts(module);
  bool alone = looks && !sweep.schedule.has_work() && !burst && !module.places.is_new();
  std::uint64_t start = monotonic_usec(), start_cpu = thread_cpu_usec();
  server_api::Growth growth;
  looks ? look_around(module, start, limit, growth) : go_on(module, start, limit, growth);
  std::uint64_t spent = monotonic_usec() - start, cpu = thread_cpu_usec() - start_cpu;
  sweep.cpu_usec += cpu;
  ++sweep.slices;
  sweep.long_slices += cpu > 2 * limit;
  sweep.longest_slice_usec = std::max(sweep.longest_slice_usec, spent);
  sweep.longest_slice_cpu_usec = std::max(sweep.longest_slice_cpu_usec, cpu);
  if (burst) {
    sweep.burst_usec += cpu;
    percent = std::max(percent, static_cast<std::uint64_t>(module.settings.burst_cpu_percent));
  }
  if (!looks && keys_come_too_fast(module)) percent = std::max(percent, kHastePercent);
  // By the time that passed, so that a machine that swaps is left in peace. But a server that was stopped, or waited
  // for a core, in the middle of a slice is not to be without us for a hundred times as long.
  std::uint64_t rest = std::min(spent * 100 / percent, std::max(cpu * 100 / percent, kSecond));
  if (alone) rest *= kRestsLonger;
  return growth.used_up() ? std::max(rest, kLongRestUsec) : rest;
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

// Keys came after the last pass, so many that it tells little: the next one does not wait for its time.
bool look(Module& module) {
  bool outgrown = keys_now(module) > 2 * module.sweep.keys_seen;
  check_sums(module, true);
  return outgrown;
}

}  // namespace

void check_sums(Module& module, bool drift) {
  if (module.keyspace.mode() != Keyspace::Mode::kExact) return;
  bool good = module.keyspace.adds_up([&](int db) {
    api.SelectDb(module.context.get(), db);
    return api.DbSize(module.context.get());
  });
  if (!good) module.keyspace.request_seeding(drift);
}

std::optional<std::uint64_t> work_on_pass(Module& module, const char* hindered_by) {
  Sweep& sweep = module.sweep;
  PassSchedule& schedule = sweep.schedule;
  const Settings& settings = module.settings;
  std::uint64_t now = monotonic_usec();
  bool off = settings.sweep_cpu_percent == 0;
  if (off && schedule.under_way()) {
    module.keyspace.abandon_pass();
    schedule.give_up();
  }
  if (!schedule.may_work(off, hindered_by)) return std::nullopt;
  bool outgrown = schedule.wants_look(now) && look(module);
  if (!schedule.was_answered()) return std::nullopt;
  bool count_anew = (module.keyspace.wants_seeding() || sweep.moved) && !schedule.fails_too_often(now);
  auto interval = static_cast<std::uint64_t>(settings.sweep_interval) * kSecond;
  if (!schedule.has_work()) {
    bool wanted = outgrown || count_anew, due = schedule.is_due(now, interval);
    if (due && !wanted && interval > 0 && is_unchanged(module, now))
      schedule.nothing_changed(now);
    else if (due || wanted)
      schedule.want();
  }
  bool looks = module.places.wants(module, now);
  if (!schedule.has_work() && !looks) return std::nullopt;
  if (now < schedule.rests_until_usec()) return schedule.rests_until_usec() - now;  // the tick came for something else
  std::uint64_t rest = slice(module, looks && is_for_looks(module));
  rest = std::max(kShortRestUsec, is_busy(sweep, now) ? 2 * rest : rest);
  schedule.rest_until(now + rest);
  return rest;
}

}  // namespace tenants
