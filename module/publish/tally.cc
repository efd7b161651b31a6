#include "module/publish/tally.h"

#include <algorithm>
#include <utility>

#include "module/publish/rows.h"

namespace tenants {

void Tallies::begin(const Module& module) {
  next_.usec = next_.cost_usec = 0;
  next_.totals = Totals();
  next_.tenants.clear();
  next_.tenants.resize(tenant_of_row(next_groups(), module.users.end()));
  next_.totals.cpu_usec = module.cpu.has_run() ? 0 : kAbsent;
  next_.totals.bytes = 0;
  // Where nobody's is known, neither is that of a tenant without users.
  UserValues nobody = user_values(module, UserTable::kInternal);
  for (std::size_t of = 0; of < nobody.size(); ++of)
    if (nobody[of] == kAbsent) std::ranges::fill(next_.tenants[tenant_columns::kOfUsers + of], kAbsent);
  users_end_ = module.users.end();
  prefixes_end_ = module.prefixes.end();
  user_ = prefix_ = 0;
  began_usec_ = monotonic_usec();
  packed_ = history_.wants(began_usec_) ? std::make_shared<PackedColumns>() : nullptr;
}

// False where time or `growth` is used up.
bool Tallies::advance(const Module& module, std::uint64_t until, const server_api::Growth* growth) {
  using namespace tenant_columns;
  auto enough = [&](std::uint32_t row) {
    return (growth && growth->used_up()) || (row % 16 == 15 && monotonic_usec() >= until);
  };
  Totals& totals = next_.totals;
  Columns& tenants = next_.tenants;
  std::deque<std::uint32_t>& tenant_of = new_groups_ ? new_tenant_of_ : tenant_of_;
  for (; user_ < users_end_; ++user_) {
    if (enough(user_)) return false;
    UserValues values = user_values(module, user_);
    users_.put(user_, values);
    std::uint32_t tenant = tenant_of_user(module, next_groups(), user_);
    if (tenant >= tenants.rows()) tenants.resize(tenant + 1);
    for (std::size_t of = 0; of < values.size(); ++of) add_known(tenants[kOfUsers + of][tenant], values[of]);
    if (tenants[kUsers][tenant])
      tenants[kOfUsers + user_columns::kConnectionsPeak][tenant] = kAbsent;  // of several users there is none
    tenants[kUsers][tenant] += user_ >= UserTable::kFirst;
    totals.connections += values[user_columns::kConnections];
    totals.commands += values[user_columns::kCommands];
    add_known(totals.cpu_usec, values[user_columns::kCpuUsec]);
  }
  for (; prefix_ < prefixes_end_; ++prefix_) {
    if (enough(prefix_)) return false;
    PrefixRows::Row row;
    row.fill(kAbsent);
    std::uint32_t tenant = kOrphans;
    if (module.prefixes.used(prefix_)) {
      PrefixValues values = prefix_values(module, prefix_);
      std::ranges::copy(values, row.begin());
      row[kIdentity] = module.prefixes.identity(prefix_);
      tenant = tenant_of_prefix(module, next_groups(), prefix_);
      if (tenant >= tenants.rows()) tenants.resize(tenant + 1);  // its owner came after this tally began
      std::uint64_t keys = values[prefix_columns::kKeys], bytes = values[prefix_columns::kBytes];
      ++tenants[kPrefixes][tenant];
      tenants[kKeys][tenant] += keys;
      totals.keys += keys;
      if (tenant == kOrphans) totals.orphan_keys += keys;
      if (keys) {
        add_known(tenants[kBytes][tenant], bytes);
        add_known(tenants[kBytesError][tenant], values[prefix_columns::kBytesError]);
        add_known(totals.bytes, bytes);
      }
    }
    prefixes_.put(prefix_, row);
    if (prefix_ == tenant_of.size()) tenant_of.push_back(tenant);
    tenant_of[prefix_] = tenant;
  }
  while (tenants.note_zeros())
    if (enough(15)) return false;
  while (packed_ && packed_->take(tenants))
    if (enough(15)) return false;
  return true;
}

void Tallies::end(const Module& module) {
  if (next_.totals.keys == 0 && module.sweep.passes() == 0) next_.totals.bytes = kAbsent;
  next_.usec = monotonic_usec();
  std::swap(last_, next_);  // whose memory the next one takes: clients would feel it come and go close to maxmemory
  if (new_groups_) {
    groups_ = std::move(*new_groups_);
    tenant_of_ = std::move(new_tenant_of_);
    new_groups_.reset();
    history_.clear();  // its tenants are other ones
  }
  bool counted = !module.found_keys || module.keyspace.mode() == Keyspace::Mode::kExact || module.sweep.passes() > 0;
  if (packed_) history_.add({last_.usec, std::move(packed_), counted});
}

void Tallies::work(const Module& module, std::uint64_t usec) {
  std::uint64_t start = monotonic_usec();
  if (!running_ && start - began_usec_ < Tally::kPeriodUsec) return;
  // Where memory runs out in the middle, half of a row is there: the next tally begins anew.
  if (!std::exchange(running_, false)) begin(module);
  server_api::Growth growth;
  bool done = advance(module, start + usec, &growth);
  next_.cost_usec += monotonic_usec() - start;
  if (done) end(module);
  running_ = !done;
}

bool Tallies::is_small(const Module& module) const {
  return !last_.usec || module.users.end() + module.prefixes.end() <= Tally::kAtOnce;
}

void Tallies::bring_up_to_date(const Module& module) {
  if (!is_small(module)) return;
  running_ = false;
  begin(module);
  advance(module, ~std::uint64_t{0}, nullptr);
  next_.cost_usec = monotonic_usec() - began_usec_;
  end(module);
}

void Tallies::regroup(const Module& module, const std::string& text) {
  if (text == next_groups().text()) return;
  Groups groups;
  groups.set(text);
  if (!last_.usec) {
    groups_ = std::move(groups);
    return;
  }
  new_groups_ = std::move(groups);
  new_tenant_of_.clear();
  running_ = false;
  began_usec_ = 0;
  bring_up_to_date(module);
}

void Tallies::counters_began_anew(const Module& module) {
  using namespace tenant_columns;
  history_.clear();
  running_ = false;
  bring_up_to_date(module);
  if (is_small(module)) return;
  for (std::size_t of = 0; of < std::size(kUserColumns); ++of)
    if (kUserColumns[of].kind == Column::kCounter)
      for (std::uint64_t& value : last_.tenants[kOfUsers + of])
        if (value != kAbsent) value = 0;
  last_.tenants.forget_zeros();
  std::vector<std::uint64_t>& peaks = last_.tenants[kOfUsers + user_columns::kConnectionsPeak];
  for (std::size_t tenant = 0; tenant < peaks.size(); ++tenant)
    if (peaks[tenant] != kAbsent) peaks[tenant] = last_.tenants[kOfUsers + user_columns::kConnections][tenant];
  last_.totals.commands = 0;
  if (last_.totals.cpu_usec != kAbsent) last_.totals.cpu_usec = 0;
}

}  // namespace tenants
