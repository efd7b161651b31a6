#include "module/publish/rows.h"

#include <algorithm>
#include <cmath>

namespace tenants {

using server_api::api;

static_assert(user_columns::kDeniedDatabase - user_columns::kDeniedAuth + 1 == kDenials);

std::string decimal(std::uint64_t thousandths) {
  std::string text = std::to_string(thousandths % 1000);
  return std::to_string(thousandths / 1000) + "." + std::string(3 - text.size(), '0') + text;
}

namespace {

// What a server has to tell for a number.
enum Known : std::uint8_t { kAlways, kRefusals, kLogins, kCpu, kBytesOfClients, kKnowns };

std::array<bool, kKnowns> known_by(const Module& module) {
  return {true, module.tells_refusals, module.server.valkey_at_least(9, 0), module.cpu.has_run(),
          module.bytes.known() && module.settings.bytes_interval > 0};
}

// Columns that are counters of a user.
struct CounterColumn {
  std::uint8_t column;
  Counter counter;
  Known known;
  std::uint8_t more = 0;
};
constexpr CounterColumn kCounterColumns[] = {
    {user_columns::kConnectionsTotal, Counter::kConnections, kAlways},
    {user_columns::kErrors, Counter::kErrors, kRefusals},
    {user_columns::kRejected, Counter::kRejected, kRefusals},
    {user_columns::kDeniedAuth, Counter::kDenied, kRefusals, 0},
    {user_columns::kDeniedCommand, Counter::kDenied, kRefusals, 1},
    {user_columns::kDeniedKey, Counter::kDenied, kRefusals, 2},
    {user_columns::kDeniedChannel, Counter::kDenied, kRefusals, 3},
    {user_columns::kDeniedDatabase, Counter::kDenied, kRefusals, 4},
    {user_columns::kAuthFailures, Counter::kAuthFailures, kLogins},
    {user_columns::kSlow, Counter::kSlow, kCpu},
    {user_columns::kBytesIn, Counter::kBytesIn, kBytesOfClients},
    {user_columns::kBytesOut, Counter::kBytesOut, kBytesOfClients},
};
static_assert(std::size(kCounterColumns) == static_cast<std::size_t>(Counter::kEnd), "each counter has a column");

}  // namespace

UserValues user_values(const Module& module, std::uint32_t row) {
  using namespace user_columns;
  const User& user = module.users[row];
  UserValues values;
  values.fill(kAbsent);
  std::array<bool, kKnowns> known = known_by(module);
  for (auto [column, counter, by, more] : kCounterColumns)
    if (known[by]) values[column] = user.of(counter, more);
  values[kConnections] = user.connections;
  values[kConnectionsPeak] = user.connections_peak;
  values[kCommands] = user.commands_total();
  auto of = [&](Kind kind) { return user.commands[static_cast<std::size_t>(kind)]; };
  values[kReads] = of(Kind::kRead);
  values[kWrites] = of(Kind::kWrite);
  values[kAdmin] = of(Kind::kAdmin);
  values[kScripts] = of(Kind::kScript);
  values[kPubsub] = of(Kind::kPubsub);
  if (known[kRefusals])
    values[kDenied] = std::accumulate(&values[kDeniedAuth], &values[kDeniedAuth] + kDenials, std::uint64_t{0});
  if (known[kCpu]) values[kCpuUsec] = module.cpu_nanoseconds(row) / 1000;
  return values;
}

namespace {

// What the keys take, as far as is known.
struct Memory {
  std::uint64_t bytes = kAbsent, error = kAbsent, coverage = 0, without_ttl = kAbsent, avg_ttl = kAbsent;
};

const Measured* latest(const Module& module, const SeenKeys& seen) {
  const Measured* last = module.sweep.complete() ? seen.seen_in(module.sweep.complete()) : nullptr;
  return last ? last : seen.seen_in(module.sweep.number());
}

// By what a pass saw, the last complete one or the one that runs, of so many keys.
Memory by_pass(const Module& module, const SeenKeys& seen_keys, std::uint64_t count) {
  Memory memory;
  const Measured* from = latest(module, seen_keys);
  bool complete = from ? from->pass == module.sweep.complete() : module.sweep.complete() > 0;
  if (count == 0) {
    memory.coverage = 1000;
    if (complete) memory.bytes = memory.error = 0;
    return memory;
  }
  std::optional<Estimate> estimate = from ? from->sample.estimate() : std::nullopt;
  if (!estimate) return memory;
  auto keys = static_cast<double>(count), seen = static_cast<double>(from->seen);
  memory.bytes = static_cast<std::uint64_t>(std::llround(estimate->bytes * keys / seen));
  // What has come or gone since may have any size: it counts whole.
  if (complete && estimate->error)
    memory.error = static_cast<std::uint64_t>(
        std::ceil((*estimate->error * keys + std::abs(keys - seen) * estimate->bytes) / seen));
  double coverage = std::min(1.0, static_cast<double>(from->sample.keys_measured()) / keys);
  if (!complete && module.keyspace.mode() == Keyspace::Mode::kSwept)  // the keys shown are those met so far
    coverage *= module.sweep.progress();
  memory.coverage = static_cast<std::uint64_t>(coverage * 1000);
  if (!complete) return memory;
  memory.without_ttl = from->seen - from->with_ttl;
  if (from->with_ttl) memory.avg_ttl = static_cast<std::uint64_t>(from->ttl_msec / static_cast<double>(from->with_ttl));
  return memory;
}

// What keys tell that were met at random places: of so many keys of this prefix, or of all, where it is not known how
// many are its own.
struct Looked {
  Estimate estimate;
  double measured = 0, share = 0;  // keys; of all that were met
};

std::optional<Looked> looked_at(const Module& module, const Prefix& prefix, std::uint64_t keys) {
  // While the counts are those from before keys moved, so are the sizes.
  if (module.sweep.moved() && module.sweep.complete()) return std::nullopt;
  std::optional<RandomSample> met = prefix.met_in(module.places.period(), module.places.is_steady());
  if (!met) return std::nullopt;
  std::optional<double> largest;
  const Measured* last = module.sweep.complete() ? prefix.seen_in(module.sweep.complete()) : nullptr;
  if (last && !last->largest.left_out())
    for (const LargeKey& key : last->largest.keys())
      largest = std::max(largest.value_or(0), static_cast<double>(key.bytes));
  bool counted = module.keyspace.mode() == Keyspace::Mode::kExact;
  const Places& places = module.places;
  std::optional<Estimate> estimate =
      counted ? met->estimate(met->met(), static_cast<double>(keys), largest, met->together())
              : met->estimate(places.met(), places.keys(), largest, std::max(met->together(), places.together()));
  if (!estimate) return std::nullopt;
  return Looked{*estimate, met->strings_measured() + met->others_measured(), met->met() / module.places.met()};
}

// Is what was met at random better known? Then the error is smaller, or sizes have changed since the pass, so that what
// it said lies far outside.
bool is_better(const Module& module, const Looked& looked, const Memory& passed) {
  if (passed.bytes == kAbsent || module.sweep.complete() == 0) return true;
  if (!looked.estimate.error) return false;
  if (passed.error == kAbsent) return true;
  auto bytes = static_cast<double>(passed.bytes), error = static_cast<double>(passed.error);
  bool is_newer = module.places.since_usec() > module.sweep.schedule().ended_usec();
  return *looked.estimate.error < error ||
         (is_newer && std::abs(looked.estimate.bytes - bytes) > 2 * *looked.estimate.error + error);
}

void set_memory(const Module& module, const Prefix& prefix, PrefixValues& values) {
  using namespace prefix_columns;
  std::optional<Looked> looked = looked_at(module, prefix, values[kKeys]);
  if (module.keyspace.mode() != Keyspace::Mode::kExact && module.sweep.passes() == 0) {
    const Measured* from = latest(module, prefix);
    values[kKeys] = looked ? static_cast<std::uint64_t>(std::llround(looked->share * module.places.keys()))
                           : std::max(values[kKeys], from ? from->seen : 0);
  }
  Memory memory = by_pass(module, prefix, values[kKeys]);
  if (looked && values[kKeys] && is_better(module, *looked, memory)) {
    memory.bytes = static_cast<std::uint64_t>(std::llround(looked->estimate.bytes));
    memory.error = looked->estimate.error ? static_cast<std::uint64_t>(std::ceil(*looked->estimate.error)) : kAbsent;
    memory.coverage =
        static_cast<std::uint64_t>(1000 * std::min(1.0, looked->measured / static_cast<double>(values[kKeys])));
  }
  values[kBytes] = memory.bytes;
  values[kBytesError] = memory.error;
  values[kCoverage] = memory.coverage;
  values[kKeysWithoutTtl] = memory.without_ttl;
  values[kAvgTtl] = memory.avg_ttl;
}

}  // namespace

const Measured* latest(const Module& module, std::uint32_t row) { return latest(module, module.prefixes[row]); }

DatabaseValues database_values(const Module& module, int db, std::uint64_t keys) {
  using namespace database_columns;
  static const SeenKeys kNothing;
  const SeenKeys* known = module.databases.find(db);
  Memory memory = by_pass(module, known ? *known : kNothing, keys);
  DatabaseValues values;
  values[kKeys] = keys;
  values[kBytes] = memory.bytes;
  values[kBytesError] = memory.error;
  values[kCoverage] = memory.coverage;
  values[kKeysWithoutTtl] = memory.without_ttl;
  values[kAvgTtl] = memory.avg_ttl;
  return values;
}

void Held::add(const Held& other) {
  keys += other.keys;
  add_known(bytes, other.bytes);
  add_known(error, other.error);
}

Held held(const Module& module, std::uint32_t row, int db, std::uint64_t keys) {
  std::uint64_t identity = module.prefixes.identity(row);
  if (keys == module.keyspace.keys(row)) {
    const auto* all = module.tallies.of_prefix(row, identity);
    return {keys, all ? (*all)[prefix_columns::kBytes] : kAbsent, all ? (*all)[prefix_columns::kBytesError] : kAbsent};
  }
  const SeenDatabases::Database* database = module.databases.find(db);
  const SeenKeys* seen = database ? module.databases.find_pair(database->identity, row, identity) : nullptr;
  if (!seen) return {keys, kAbsent, kAbsent};
  Memory memory = by_pass(module, *seen, keys);
  return {keys, memory.bytes, memory.error};
}

namespace {

// But for what the keys take.
PrefixValues counted_values(const Module& module, std::uint32_t row) {
  using namespace prefix_columns;
  const Prefix& prefix = module.prefixes[row];
  PrefixValues values;
  values.fill(kAbsent);
  values[kUsers] = prefix.users;
  values[kKeys] = module.keyspace.keys(row);
  values[kHits] = prefix.cache.hits;
  values[kMisses] = prefix.cache.misses;
  if (std::optional<double> ratio = prefix.cache.hit_ratio())
    values[kHitRatio] = static_cast<std::uint64_t>(*ratio * 1000);
  if (module.keyspace.live()) {
    values[kExpired] = prefix.cache.expired;
    values[kEvicted] = prefix.cache.evicted;
  }
  return values;
}

}  // namespace

PrefixValues prefix_values(const Module& module, std::uint32_t row) {
  PrefixValues values = counted_values(module, row);
  set_memory(module, module.prefixes[row], values);
  return values;
}

PrefixValues tallied_prefix_values(const Module& module, std::uint32_t row) {
  using namespace prefix_columns;
  PrefixValues values = counted_values(module, row);
  const auto* tallied = module.tallies.of_prefix(row, module.prefixes.identity(row));
  if (tallied && (*tallied)[kKeys] == values[kKeys])
    for (std::size_t column : {kBytes, kBytesError, kCoverage, kKeysWithoutTtl, kAvgTtl})
      values[column] = (*tallied)[column];
  else
    set_memory(module, module.prefixes[row], values);
  return values;
}

std::uint32_t tenant_of_user(const Module& module, const Groups& groups, std::uint32_t user) {
  if (groups.size() && user >= UserTable::kFirst)
    if (std::optional<std::uint32_t> group = groups.of_user(module.users[user].name)) return 1 + *group;
  return tenant_of_row(groups, user);
}

std::uint32_t tenant_of_prefix(const Module& module, const Groups& groups, std::uint32_t row) {
  if (groups.size() && row >= PrefixTable::kFirst)
    if (std::optional<std::uint32_t> group = groups.of_prefix(module.prefixes.title(row).name)) return 1 + *group;
  std::uint32_t owner = module.prefixes.owner(row);
  return owner ? tenant_of_user(module, groups, owner) : kOrphans;
}

const char* prefix_kind(std::uint32_t row, const PrefixTable::Title& title) {
  if (row == PrefixTable::kNone) return "none";
  if (row == PrefixTable::kOther) return "other";
  constexpr const char* kKinds[] = {"prefix", "key", "pattern"};  // by Covers
  return title.elsewhere ? "elsewhere" : kKinds[static_cast<std::size_t>(title.covers)];
}

Tenant tenant_at(const Module& module, std::uint32_t tenant) {
  if (tenant == kOrphans) return {"(orphans)", "orphans", true};
  const Groups& groups = module.tallies.groups();
  std::uint32_t user = tenant - 1;
  if (user < groups.size()) return {groups.name(user), "group"};
  user -= static_cast<std::uint32_t>(groups.size());
  if (user >= module.users.end()) return {"(overhead)", "overhead", true};
  std::string_view name = module.users[user].name;
  if (user == UserTable::kInternal) return {name, "internal", true, user};
  if (user == UserTable::kOther) return {name, "other", true, user};
  return {name, module.users[user].gone_usec ? "gone" : "tenant", false, user};
}

bool is_listed(const Module& module, std::uint32_t number) {
  const Columns& tally = module.tallies.last().tenants;
  if (number == overhead_tenant(module)) return true;
  if (number >= tally.rows()) return false;
  Tenant tenant = tenant_at(module, number);
  if (tenant.own || !tenant.user) return true;
  if (tenant_of_user(module, tenant.user) != number) return false;
  const User& user = module.users[tenant.user];
  return user.in_acl || user.connections || user.of(Counter::kConnections) || user.commands_total() ||
         tally[tenant_columns::kPrefixes][number];
}

TenantValues overhead_values(const Module& module, const MemoryUse& memory) {
  using namespace tenant_columns;
  auto values = module.tallies.last().tenants.row<TenantValues>(kOrphans);
  for (std::uint64_t& value : values)
    if (value != kAbsent) value = 0;
  values[kBytes] = memory.overhead;
  values[kBytesError] = kAbsent;
  return values;
}

void reset_counters(Module& module) {
  for (std::uint32_t row = 0; row < module.users.end(); ++row) module.users[row].reset(module.cpu.nanoseconds(row));
  for (std::uint32_t row = 0; row < module.prefixes.end(); ++row) module.prefixes[row].cache = {};
  module.shared_use.clear();
  module.clients.for_each([](Client& client) { client.clear(Client::kCounted); });  // nothing is left to be taken back
  module.rejected_before = module.ask.statistic("rejected_connections").value_or(0);
  module.reset_unix_msec = api.Milliseconds();
  module.tallies.counters_began_anew(module);
}

}  // namespace tenants
