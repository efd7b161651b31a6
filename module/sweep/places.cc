#include "module/sweep/places.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "module/accounting/arriving.h"
#include "module/accounting/random.h"
#include "module/module.h"
#include "module/sweep/measure.h"
#include "server_api/growth.h"

namespace tenants {

using server_api::api;
using server_api::ScanCursor;

namespace {

constexpr std::uint64_t kSizesUsec = 2 * kSecond, kPeriodUsec = 30 * kSecond;
constexpr std::uint64_t kNewUsec = 30 * kSecond;  // twice as long with kVeryMany keys
constexpr std::uint64_t kVeryMany = 5'000'000;
constexpr double kCallsPerSecond = 50;
constexpr double kEnough = 200'000;  // keys to be met where nothing changes
// Of n strings of a prefix that were met √(n × this) are measured: more help little.
constexpr double kOfStrings = 100;

// The next bucket of Scan is where the first eight bytes of the object say. Its `done`, behind them, is as
// ScanCursorRestart leaves it.
std::uint64_t place_of(const ScanCursor* cursor) {
  std::uint64_t place = 0;
  std::memcpy(&place, cursor, sizeof place);
  return place;
}
void set_place(ScanCursor* cursor, std::uint64_t place) {
  api.ScanCursorRestart(cursor);
  std::memcpy(static_cast<void*>(cursor), &place, sizeof place);
}

struct Met {
  std::string names;
  std::uint64_t place = 0;
  bool of_slot = true;  // each belongs to the slot that the place names
};

void on_proof(server_api::Context*, server_api::String* name, server_api::Key*, void* data) noexcept {
  auto& met = *static_cast<Met*>(data);
  try {
    std::string_view bytes = server_api::view(name);
    met.names.append(bytes).push_back('\n');
    met.of_slot &= static_cast<std::uint64_t>(key_slot(bytes)) == met.place % SlotTables::kSlots;
  } catch (...) {  // out of memory: the proof fails
  }
}

void on_counted(server_api::Context*, server_api::String*, server_api::Key*, void* count) noexcept {
  ++*static_cast<std::uint64_t*>(count);
}

void on_look(server_api::Context*, server_api::String* name, server_api::Key* key, void*) noexcept {
  try {
    module_state->places.on_met(*module_state, name, key);
  } catch (...) {  // out of memory: its size does not decide that
  }
}

}  // namespace

std::optional<DataState> data_state(Module& module) {
  if (!module.keyspace.live()) return std::nullopt;
  std::optional<Saves> saves = module.ask.saves();
  if (!saves) return std::nullopt;
  return DataState{module.key_events, saves->changes, saves->saved};
}

// A scan that goes on from a place that we set meets what one meets that came there by itself; in cluster mode keys of
// the slot that we think it names.
bool Places::prove(Module& module) {
  if (proof_ != Proof::kNone) return proof_ == Proof::kGood;
  proof_ = Proof::kBad;
  coins_ = module.sweep.coins();
  cursor_.reset(api.ScanCursorCreate());
  server_api::OwnedCursor ours(api.ScanCursorCreate());
  api.SelectDb(module.context.get(), std::ranges::max_element(databases_, {}, &Database::keys)->db);
  for (int step = 0; step < 8; ++step) {
    std::uint64_t place = place_of(cursor_.get());
    if ((place == 0) != (step == 0)) return false;
    set_place(ours.get(), place);
    Met met{.place = place}, expected{.place = place};
    bool more = api.Scan(module.context.get(), ours.get(), on_proof, &met);
    bool goes_on = api.Scan(module.context.get(), cursor_.get(), on_proof, &expected);
    if (!more || !goes_on || met.names != expected.names || place_of(ours.get()) != place_of(cursor_.get()))
      return false;
    if (cluster_ && !met.of_slot) return false;
  }
  proof_ = Proof::kGood;
  return true;
}

bool Places::read_sizes(Module& module) {
  std::optional<DatabaseSizes> sizes = module.ask.databases();
  if (!sizes || sizes->empty() || sizes->size() > (cluster_ ? kMostOfCluster : kMostDatabases)) return false;
  std::vector<Database> databases;
  databases.reserve(sizes->size());
  for (auto [db, keys] : *sizes) {
    auto known = std::ranges::find(databases_, db, &Database::db);
    Database& now = databases.emplace_back();
    if (known != databases_.end()) now = std::move(*known);
    now.db = db;
    now.keys = static_cast<double>(keys);
  }
  databases_ = std::move(databases);
  keys_ = keys_in(*sizes);
  return true;
}

void Places::forget() {
  available_ = resting_ = steady_ = false;
  if (met_ + met_before_ > 0) ++period_;  // and one more when the next one begins: none follows on what was met
  met_ = met_before_ = squares_ = squares_before_ = 0;
  as_of_.reset();
  compared_usec_ = 0;
}

bool Places::wants(Module& module, std::uint64_t now) {
  if (proof_ == Proof::kBad) return false;
  cluster_ = api.GetContextFlags(nullptr) & server_api::kFlagCluster;
  if (module.keyspace.mode() == Keyspace::Mode::kExact && module.keyspace.total() < kFewKeys) {
    forget();  // without asking the server
    return false;
  }
  if (now - sized_usec_ >= kSizesUsec && !resting_) {
    if (sized_usec_) calls_ = std::min(calls_ + kCallsPerSecond * kSizesUsec / kSecond, 2 * kCallsPerSecond);
    sized_usec_ = now;
    available_ = read_sizes(module) && keys_ >= kFewKeys && prove(module);
  }
  if (!available_) {
    forget();
    return false;
  }
  for (Database& each : databases_)
    if (cluster_ && !each.slots) {
      if (server_api::is_close_to_maxmemory()) return false;
      each.slots = std::make_unique<Slots>();
    }
  is_new_ = is_new_ && (period_ == 0 || now - first_usec_ < (keys_ < kVeryMany ? kNewUsec : 2 * kNewUsec));
  if (period_ && now - compared_usec_ < kPeriodUsec) return !resting_;
  std::optional<DataState> state = data_state(module);
  steady_ = period_ && state && state == as_of_;
  resting_ = steady_ && module.sweep.complete() && met_ >= std::min(keys(), kEnough);
  compared_usec_ = now;
  if (steady_) return !resting_;
  as_of_ = state;
  if (period_ == 0) first_usec_ = now;
  before_usec_ = period_ ? period_usec_ : now;
  period_usec_ = now;
  met_before_ = std::exchange(met_, 0);
  squares_before_ = std::exchange(squares_, 0);
  for (Database& each : databases_)
    if (each.slots) each.slots->next = 0;
  module.prefixes.begin_period(++period_);
  return true;
}

// So that each key has the same chance: a database is drawn by how many buckets it has, which its looks tell.
Places::Database& Places::draw() {
  if (databases_.size() == 1) return databases_.front();
  double all = 0;
  for (const Database& each : databases_) all += each.keys / each.keys_per_look;
  double place = coin(coins_) * all;
  for (Database& each : databases_)
    if ((place -= each.keys / each.keys_per_look) < 0) return each;
  return databases_.back();
}

void Places::select(Module& module, const Database& at) { api.SelectDb(module.context.get(), db_ = at.db); }

void Places::look_at(Module& module, const Database& at, std::uint64_t place) {
  select(module, at);
  set_place(cursor_.get(), place);
  met_now_ = 0;
  api.Scan(module.context.get(), cursor_.get(), on_look, nullptr);
  met_ += met_now_;
}

std::uint32_t Places::size_up(Module& module, Database& at, std::uint32_t slot) {
  std::uint64_t met = 0;
  select(module, at);
  set_place(cursor_.get(), slot);
  api.Scan(module.context.get(), cursor_.get(), on_counted, &met);
  std::uint64_t place = place_of(cursor_.get()), second = place >> SlotTables::kSlotBits;
  auto next = static_cast<std::uint32_t>(place % SlotTables::kSlots);
  bool stays = next == slot && second > 0;
  // A table of one place, or none: on to the next slot with keys.
  at.slots->tables.set(slot, stays ? 2 * second : met > 0);
  if (place == 0) return SlotTables::kSlots;
  return stays ? slot + 1 : next;
}

void Places::size_up_next(Module& module, Database& at) {
  Slots& slots = *at.slots;
  std::uint32_t next = size_up(module, at, slots.next);
  while (++slots.next < next) slots.tables.set(slots.next, 0);
  slots.sized_up |= slots.next == SlotTables::kSlots;
}

void Places::look_in_slot(Module& module) {
  auto unknown = std::ranges::find_if(databases_, [](const Database& each) { return !each.slots->sized_up; });
  bool all_known = unknown == databases_.end();
  if (all_known)
    unknown =
        std::ranges::find_if(databases_, [](const Database& each) { return each.slots->next < SlotTables::kSlots; });
  if (unknown != databases_.end() && (!all_known || ++turns_ % 2)) return size_up_next(module, *unknown);
  std::uint64_t all = 0;
  for (const Database& each : databases_) all += each.slots->tables.all();
  if (all == 0) return;
  std::uint64_t number = splitmix64(coins_) % all;
  auto at = databases_.begin();
  for (; number >= at->slots->tables.all(); ++at) number -= at->slots->tables.all();
  const SlotTables& tables = at->slots->tables;
  std::uint32_t slot = tables.with_place(number);
  std::uint64_t place = splitmix64(coins_) >> SlotTables::kSlotBits;
  ++looks_;
  look_at(module, *at, place << SlotTables::kSlotBits | slot);
  squares_ += met_now_ * met_now_;
  std::uint64_t next = place_of(cursor_.get()), expected = next_place(place, tables.places(slot));
  bool as_expected = expected ? next == (expected << SlotTables::kSlotBits | slot) : next < SlotTables::kSlots;
  if (!as_expected) size_up(module, *at, slot);
}

void Places::look(Module& module) {
  if (cluster_) return look_in_slot(module);
  constexpr double kShare = 1.0 / 256;  // of one look in what is known of a database
  Database& at = draw();
  look_at(module, at, splitmix64(coins_));
  at.keys_per_look = std::max(at.keys_per_look + kShare * (met_now_ - at.keys_per_look), 0.01);
}

// Whether it may does not depend on the key's size.
bool Places::may_measure(bool first) {
  if (is_new_) return true;
  if (calls_ < 1 && (!first || calls_ < -kCallsPerSecond)) return false;
  --calls_;
  return true;
}

void Places::on_met(Module& module, server_api::String* name, server_api::Key* key) {
  ++met_now_;
  std::string_view bytes = server_api::view(name);
  RandomSample& sample = module.prefixes[module.prefixes.match(db_, bytes)].met_now(period_);
  if (cluster_) sample.begin_key(looks_);
  int type = api.KeyType(key);
  std::size_t value_length = api.ValueLength(key);
  if (type != server_api::kKeyTypeString) {
    std::optional<Size> size;
    if (may_measure(sample.others_measured() == 0)) size = measure(module, name, type, value_length);
    return size ? sample.measure_other(size->bytes, size->exact) : sample.meet_other();
  }
  double length = string_length(module, bytes, value_length), chance = sample.chance(length, kOfStrings);
  std::optional<Size> size;
  if (coin(coins_) < chance && may_measure(sample.strings_measured() == 0))
    size = measure(module, name, type, value_length);
  if (size)
    sample.measure_string(length, size->bytes, chance);
  else
    sample.meet_string(length);
}

}  // namespace tenants
