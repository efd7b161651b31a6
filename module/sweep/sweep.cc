#include "module/sweep/sweep.h"

#include <algorithm>
#include <utility>

#include "module/module.h"
#include "module/sweep/measure.h"

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
// Of the target, so that it is met by all of some hundred prefixes, and not just by 95 of them.
constexpr double kAim = 0.7;
constexpr std::uint64_t kBurstSeconds = 8;
// Of the stretches while a pass is under way, and of what the pass may take while none is, so many are for looks.
constexpr std::uint64_t kOneTurnOf = 8, kRestsLonger = 4;

void on_scanned_key(server_api::Context*, server_api::String* name, server_api::Key* key, void*) noexcept {
  try {
    module_state->sweep.on_scanned(name, key);
  } catch (...) {  // out of memory: the pass will not add up, and is repeated
  }
}

}  // namespace

Sweep::Sweep(Module& module, std::uint64_t seed) : module_(module), cursor_(api.ScanCursorCreate()), coins_(seed | 1) {}

double Sweep::progress() const {
  if (keys_expected_ == 0) return 1;
  return std::min(1.0, static_cast<double>(keys_seen_) / static_cast<double>(keys_expected_));
}

void Sweep::keys_moved(bool any) {
  as_of_.reset();
  moved_ = any;
}

double Sweep::coin() {  // xorshift64*
  coins_ ^= coins_ >> 12, coins_ ^= coins_ << 25, coins_ ^= coins_ >> 27;
  return static_cast<double>(coins_ * 0x2545f4914f6cdd1du >> 11) * 0x1p-53;
}

double Sweep::target() const { return kAim * static_cast<double>(module_.settings.target_error) / 100; }

// How many keys of this prefix there are to each that the pass has met.
double Sweep::keys_per_met(std::uint32_t row, const Measured& pass) const {
  if (module_.keyspace.mode() != Keyspace::Mode::kExact)
    return static_cast<double>(keys_expected_) / static_cast<double>(keys_seen_);
  return static_cast<double>(module_.keyspace.keys(row)) / static_cast<double>(pass.seen);
}

void Sweep::note_largest(Measured& pass, server_api::String* name, int type, std::uint64_t bytes) {
  if (!pass.largest.wants(bytes)) return;
  largest_in_all_ += static_cast<std::size_t>(
      pass.largest.add({std::string(server_api::view(name)), bytes, db_, type}, kLargestInAll - largest_in_all_));
}

// What the pass has seen of this prefix so far. Its strings are sampled as the last pass's tell, if they tell enough.
Measured& Sweep::seen_now(std::uint32_t row) {
  Prefix& prefix = module_.prefixes[row];
  Measured& pass = prefix.seen_now(number_, complete_);
  if (pass.seen == 0)
    if (const Measured* last = prefix.seen_in(complete_); last && last->sample.strings_measured() >= kPilot)
      pass.sample.set_threshold(last->sample.threshold_for(last->sample.lengths(), target()));
  return pass;
}

// What the pass has seen so far of this prefix in the database that it is at; null where that is all of the prefix, or
// there is no room. To be called before the key is counted in `pass`, that of the prefix.
Measured* Sweep::seen_here(std::uint32_t row, Measured& pass) {
  std::uint32_t here = database_ ? database_->identity : 0;
  if (pass.seen == 0) pass.database = here;
  if (pass.database == here && !pass.several) return nullptr;
  std::uint64_t name = module_.prefixes.identity(row);
  auto in = [&](std::uint32_t database) -> Measured* {
    SeenKeys* pair = database ? module_.databases.make_pair(database, row, name) : nullptr;
    return pair ? &pair->seen_now(number_, complete_) : nullptr;
  };
  if (!std::exchange(pass.several, true))
    if (Measured* first = in(pass.database)) {  // what was seen so far was there
      first->seen = pass.seen;
      first->sample = pass.sample;
    }
  return in(here);
}

void Sweep::measure_string(server_api::String* name, std::size_t value_length, std::uint32_t row,
                           std::span<Measured* const> seen_by) {
  Measured& pass = *seen_by.front();
  double length = string_length(module_, server_api::view(name), value_length), chance = coin();
  bool by_chance = pass.sample.meet(length, chance);
  for (Measured* of : seen_by.subspan(1)) {
    of->sample.set_threshold(pass.sample.threshold());
    of->sample.meet(length, chance);
  }
  bool among_largest = pass.largest.wants(value_length);
  if (!by_chance && !among_largest) return;
  std::optional<Size> size = measure(module_, name, server_api::kKeyTypeString, value_length);
  for (Measured* of : seen_by)
    if (!size)
      of->sample.not_measured();
    else if (among_largest)
      of->sample.measured_anyway(length, size->bytes);
    else
      of->sample.measured(length, size->bytes);
  if (!size) return;
  note_largest(pass, name, server_api::kKeyTypeString, size->bytes);
  if (pass.sample.strings_measured() == kPilot && pass.sample.threshold() == 0)
    pass.sample.set_threshold(pass.sample.threshold_for(pass.sample.lengths() * keys_per_met(row, pass), target()));
}

void Sweep::on_scanned(server_api::String* name, server_api::Key* key) {
  std::string_view bytes = server_api::view(name);
  std::uint32_t row = module_.prefixes.match(db_, bytes);
  module_.keyspace.visit(db_, row, bytes);
  if (row == PrefixTable::kOther)
    if (std::string_view segment = module_.prefixes.segment_of(bytes); !segment.empty()) {
      if (!heavy_) heavy_.emplace(kHeavyNames);
      heavy_->add(segment);
    }
  Measured& pass = seen_now(row);
  // Of its prefix, of its database, and of both together.
  Measured* records[] = {&pass, nullptr, nullptr};
  std::size_t known = 1;
  if (Measured* here = seen_here(row, pass)) records[known++] = here;
  if (database_) records[known++] = &database_->seen_now(number_, complete_);
  auto seen_by = std::span(records).first(known);
  ++keys_seen_;
  long long ttl = api.GetExpire(key);
  met_ttl_ |= ttl >= 0;
  for (Measured* of : seen_by) {
    ++of->seen;
    if (ttl < 0) continue;
    ++of->with_ttl;
    of->ttl_msec += static_cast<double>(ttl);
  }
  int type = api.KeyType(key);
  std::size_t length = api.ValueLength(key);
  if (type == server_api::kKeyTypeString) return measure_string(name, length, row, seen_by);
  std::optional<Size> size = measure(module_, name, type, length);
  for (Measured* of : seen_by) size ? of->sample.measured_other(size->bytes, size->exact) : of->sample.not_measured();
  if (size) note_largest(pass, name, type, size->bytes);
}

// Would a pass find what the last one found? Not for longer than an hour: a large hash may end its growth when it is
// read, and keys with a TTL come closer to their end.
bool Sweep::is_unchanged(std::uint64_t now) const {
  constexpr std::uint64_t kLongest = 3600 * kSecond;
  return as_of_ && !met_ttl_ && now - measured_usec_ < kLongest && as_of_ == data_state(module_);
}

void Sweep::begin_pass(std::uint64_t now) {
  left_ = module_.ask.databases().value_or(DatabaseSizes());
  keys_expected_ = keys_in(left_);
  keys_seen_ = 0;
  largest_in_all_ = 0;
  ++number_;
  heavy_.reset();
  as_of_ = data_state(module_);
  met_ttl_ = false;
  database_ = nullptr;
  module_.databases.forget_if([&](int db) { return !left_.contains(db); });
  module_.keyspace.begin_pass(left_, std::exchange(to_adopt_, {}));
  if ((module_.owners.lacks_room() || module_.named_lack_room) && module_.prefixes.has_room())
    module_.acl_changes.read_all();
  api.ScanCursorRestart(cursor_.get());
  schedule_.begin(now);
}

void Sweep::end_pass(std::uint64_t now) {
  std::optional<DatabaseSizes> sizes = module_.ask.databases();
  schedule_.answered(sizes.has_value());
  if (!sizes) return module_.keyspace.abandon_pass();
  bool good = module_.keyspace.end_pass(*sizes);
  if (good && heavy_) {
    to_adopt_ = heavy_->at_least(2);
    if (to_adopt_.size() > kAdopted) to_adopt_.resize(kAdopted);
    if (module_.keyspace.displaces(to_adopt_)) module_.keyspace.request_seeding(false);
  }
  if (!good || !to_adopt_.empty()) as_of_.reset();
  if (good && !module_.keyspace.wants_seeding()) moved_ = false;
  // One in which keys moved says what they are neither before nor after: the last one holds on, as the counts do.
  if (!moved_) complete_ = number_;
  ++passes_;
  measured_usec_ = now;
  schedule_.end(now, good);
}

// Asks the server only where its own counts don't tell.
std::uint64_t Sweep::keys_now() {
  bool counted = module_.keyspace.mode() == Keyspace::Mode::kExact && schedule_.was_answered();
  if (counted) return module_.keyspace.total();
  std::optional<DatabaseSizes> sizes = module_.ask.databases();
  schedule_.answered(sizes.has_value());
  return sizes ? keys_in(*sizes) : 0;
}

// A pass that counts remembers the keys that appear meanwhile, and fails where there are too many. At this pace it
// would: then it takes more of the main thread, for some seconds.
bool Sweep::keys_come_too_fast() const {
  if (!schedule_.under_way() || keys_expected_ == 0) return false;
  double progress = static_cast<double>(keys_seen_) / static_cast<double>(keys_expected_);
  constexpr double kMargin = 1.5;
  return kMargin * module_.keyspace.haste() > progress;
}

// Where to scan, and whose keys these are.
void Sweep::select(int db) {
  api.SelectDb(module_.context.get(), db);
  if (std::exchange(db_, db) == db && database_) return;
  database_ = module_.databases.make(db);
}

// A stretch of the pass.
void Sweep::go_on(std::uint64_t start, std::uint64_t limit, const server_api::Growth& growth) {
  std::uint64_t now = start, longest_step = 0;
  std::uint64_t keys = schedule_.preparing() ? keys_now() : 0;
  while (schedule_.preparing() && now - start < limit) {
    bool ready = module_.keyspace.prepare_pass(keys, scarce_);
    if (!scarce_ && server_api::is_close_to_maxmemory()) {  // before the server evicts keys for it
      scarce_ = true;
      module_.keyspace.forget_prepared();
    } else if (ready) {
      scarce_ = false;
      begin_pass(now);
    }
    now = monotonic_usec();
  }
  // A step takes a bucket of keys: no other one is begun that would not fit if it took as long as the longest did.
  while (schedule_.under_way() && !growth.used_up() && (now == start || now - start + longest_step < limit)) {
    if (left_.empty()) {
      end_pass(now);
      break;
    }
    select(left_.begin()->first);
    if (!api.Scan(module_.context.get(), cursor_.get(), on_scanned_key, nullptr)) {
      api.ScanCursorRestart(cursor_.get());
      left_.erase(left_.begin());
    }
    std::uint64_t before = std::exchange(now, monotonic_usec());
    longest_step = std::max(longest_step, now - before);
  }
}

// A stretch of looks at random places.
void Sweep::look_around(std::uint64_t start, std::uint64_t limit, const server_api::Growth& growth) {
  std::uint64_t now = start, longest_step = 0;
  while (!growth.used_up() && (now == start || now - start + longest_step < limit)) {
    module_.places.look(module_);
    std::uint64_t before = std::exchange(now, monotonic_usec());
    longest_step = std::max(longest_step, now - before);
  }
}

// For the first answer after loading, more of the main thread for some seconds.
bool Sweep::bursts() const {
  auto percent = static_cast<std::uint64_t>(module_.settings.burst_cpu_percent);
  return module_.places.is_new() && burst_usec_ < percent * kBurstSeconds * kSecond / 100;
}

// Is this turn for looks? All are while the first answer is burst out, then every other one until it is there.
bool Sweep::is_for_looks() {
  if (!schedule_.has_work() || bursts()) return true;
  if (keys_come_too_fast()) return false;
  if (!module_.places.is_new()) return turns_++ % kOneTurnOf == 0;
  constexpr double kManyKeys = 500'000;  // the pass takes minutes anyway
  return module_.places.keys() >= kManyKeys || turns_++ % 2 == 0;
}

// One bounded stretch of work; returns for how long to rest then, in µs.
std::uint64_t Sweep::slice(bool looks) {
  auto limit = static_cast<std::uint64_t>(module_.settings.slice_usec);
  auto percent = static_cast<std::uint64_t>(module_.settings.sweep_cpu_percent);
  bool burst = looks && bursts();
  bool alone = looks && !schedule_.has_work() && !burst && !module_.places.is_new();
  std::uint64_t start = monotonic_usec(), start_cpu = thread_cpu_usec();
  server_api::Growth growth;
  looks ? look_around(start, limit, growth) : go_on(start, limit, growth);
  std::uint64_t spent = monotonic_usec() - start, cpu = thread_cpu_usec() - start_cpu;
  spent_.cpu_usec += cpu;
  ++spent_.slices;
  spent_.long_slices += cpu > 2 * limit;
  spent_.longest_slice_usec = std::max(spent_.longest_slice_usec, spent);
  spent_.longest_slice_cpu_usec = std::max(spent_.longest_slice_cpu_usec, cpu);
  if (burst) {
    burst_usec_ += cpu;
    percent = std::max(percent, static_cast<std::uint64_t>(module_.settings.burst_cpu_percent));
  }
  if (!looks && keys_come_too_fast()) percent = std::max(percent, kHastePercent);
  // By the time that passed, so that a machine that swaps is left in peace. But a server that was stopped, or waited
  // for a core, in the middle of a slice is not to be without us for a hundred times as long.
  std::uint64_t rest = std::min(spent * 100 / percent, std::max(cpu * 100 / percent, kSecond));
  if (alone) rest *= kRestsLonger;
  return growth.used_up() ? std::max(rest, kLongRestUsec) : rest;
}

// Has the main thread had little rest lately? Then the pass takes half of what it may.
bool Sweep::is_busy(std::uint64_t now) {
  if (now - load_usec_ < kBusyPeriodUsec) return busy_;
  std::uint64_t cpu = thread_cpu_usec();
  busy_ = static_cast<double>(cpu - load_cpu_usec_) > kBusy * static_cast<double>(now - load_usec_);
  load_usec_ = now;
  load_cpu_usec_ = cpu;
  return busy_;
}

// Keys came after the last pass, so many that it tells little: the next one does not wait for its time.
bool Sweep::is_outgrown() {
  bool outgrown = keys_now() > 2 * keys_seen_;
  check_sums(true);
  return outgrown;
}

void Sweep::check_sums(bool drift) {
  if (module_.keyspace.mode() != Keyspace::Mode::kExact) return;
  bool good = module_.keyspace.adds_up([&](int db) {
    api.SelectDb(module_.context.get(), db);
    return api.DbSize(module_.context.get());
  });
  if (!good) module_.keyspace.request_seeding(drift);
}

std::optional<std::uint64_t> Sweep::work(const char* hindered_by) {
  const Settings& settings = module_.settings;
  std::uint64_t now = monotonic_usec();
  bool off = settings.sweep_cpu_percent == 0;
  if (off && schedule_.under_way()) {
    module_.keyspace.abandon_pass();
    schedule_.give_up();
  }
  if (!schedule_.may_work(off, hindered_by)) return std::nullopt;
  bool outgrown = schedule_.wants_look(now) && is_outgrown();
  if (!schedule_.was_answered()) return std::nullopt;
  bool count_anew = (module_.keyspace.wants_seeding() || moved_) && !schedule_.fails_too_often(now);
  auto interval = static_cast<std::uint64_t>(settings.sweep_interval) * kSecond;
  if (!schedule_.has_work()) {
    bool wanted = outgrown || count_anew, due = schedule_.is_due(now, interval);
    if (due && !wanted && interval > 0 && is_unchanged(now))
      schedule_.nothing_changed(now);
    else if (due || wanted)
      schedule_.want();
  }
  bool looks = module_.places.wants(module_, now);
  if (!schedule_.has_work() && !looks) return std::nullopt;
  if (now < schedule_.rests_until_usec())
    return schedule_.rests_until_usec() - now;  // the tick came for something else
  std::uint64_t rest = slice(looks && is_for_looks());
  rest = std::max(kShortRestUsec, is_busy(now) ? 2 * rest : rest);
  schedule_.rest_until(now + rest);
  return rest;
}

}  // namespace tenants
