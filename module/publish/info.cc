#include <string>

#include "module/accounting/escape.h"
#include "module/hooks/hooks.h"
#include "module/publish/publish.h"
#include "module/publish/rows.h"

namespace tenants {

using server_api::api;

namespace {

// Rows of the module's own begin with '(' and stay as they are; no escaped name does.
std::string shown(const Tenant& tenant) { return tenant.own ? std::string(tenant.name) : escape(tenant.name); }

class Line {
 public:
  Line(server_api::InfoContext* info, const std::string& name) : info_(info) {
    api.InfoBeginDictField(info, name.c_str());
  }
  ~Line() { api.InfoEndDictField(info_); }
  void add(const char* field, const std::string& value) { api.InfoAddFieldCString(info_, field, value.c_str()); }
  void add(std::span<const Column> columns, std::span<const std::uint64_t> values) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (values[i] == kAbsent) continue;
      if (columns[i].kind == Column::kShare)
        add(columns[i].name, decimal(values[i]));
      else
        api.InfoAddFieldULongLong(info_, columns[i].name, values[i]);
    }
  }

 private:
  server_api::InfoContext* info_;
};

// The rows to show: those with the largest value in the last tally first, 0 for who is new since.
template <typename ValueOf, typename IsThere>
std::vector<Place> largest(const Module& module, ValueOf value_of, std::uint32_t end, IsThere is_there) {
  First first(static_cast<std::size_t>(module.settings.info_rows));
  for (std::uint32_t row = 0; row < end; ++row) {
    std::uint64_t value = value_of(row);
    if (value != kAbsent) first.offer({descending(value), row});
  }
  std::vector<Place> places = first.take();
  std::erase_if(places, [&](const Place& place) { return !is_there(place.row); });
  return places;
}

void add_users(server_api::InfoContext* info, const Module& module) {
  auto commands = [&](std::uint32_t row) { return module.tallies.users().at(user_columns::kCommands, row, 0); };
  for (Place place : largest(module, commands, module.users.end(), [](std::uint32_t) { return true; })) {
    Line line(info, "user_" + shown(tenant_at(module, tenant_of_row(module, place.row))));
    line.add(kUserColumns, user_values(module, place.row));
  }
}

void add_prefixes(server_api::InfoContext* info, const Module& module) {
  auto keys = [&](std::uint32_t row) { return module.tallies.prefixes().at(prefix_columns::kKeys, row, 0); };
  auto used = [&](std::uint32_t row) { return module.prefixes.used(row); };
  for (Place place : largest(module, keys, module.prefixes.end(), used)) {
    PrefixTable::Title title = module.prefixes.title(place.row);
    std::string name(title.name);  // a prefix, a key and a pattern may have the same
    bool own = place.row < PrefixTable::kFirst;
    Line line(info, own ? "prefix_" + name : std::string(prefix_kind(place.row, title)) + "_" + escape(name));
    if (std::uint32_t owner = tenant_of_prefix(module, place.row)) line.add("owner", shown(tenant_at(module, owner)));
    line.add(kPrefixColumns, prefix_values(module, place.row));
  }
}

void add_tenants(server_api::InfoContext* info, const Module& module, const std::optional<MemoryUse>& memory) {
  const Columns& tenants = module.tallies.last().tenants;
  std::uint32_t overhead = overhead_tenant(module);
  auto listed = [&](std::uint32_t tenant) { return is_listed(module, tenant); };
  auto commands = [&](std::uint32_t tenant) {
    return tenant < tenants.rows() ? tenants[tenant_columns::kCommands][tenant] : 0;
  };
  for (Place place : largest(module, commands, overhead + memory.has_value(), listed)) {
    Line line(info, "tenant_" + shown(tenant_at(module, place.row)));
    line.add(kTenantColumns,
             place.row == overhead ? overhead_values(module, *memory) : tenants.row<TenantValues>(place.row));
  }
}

void add_status(server_api::InfoContext* info, Module& module, const std::optional<MemoryUse>& memory) {
  for (auto& [name, value] : status(module, memory))
    api.InfoAddFieldCString(info, std::string(name).c_str(), value.c_str());
}

void write_info(server_api::InfoContext* info, Module& module) {
  module.identity.be_right(Identity::Of::kEverybody, false);
  CpuSampler::Hold hold(module.cpu);
  module.tallies.bring_up_to_date(module);
  std::optional<MemoryUse> memory = memory_use(module);  // the same for all sections: rows and total agree
  if (api.InfoAddSection(info, "status") == server_api::kOk) add_status(info, module, memory);
  if (api.InfoAddSection(info, "users") == server_api::kOk) add_users(info, module);
  if (api.InfoAddSection(info, "prefixes") == server_api::kOk) add_prefixes(info, module);
  if (api.InfoAddSection(info, "list") == server_api::kOk) add_tenants(info, module, memory);
}

}  // namespace

void on_info(server_api::InfoContext* info, int for_crash_report) noexcept {
  Module& module = *module_state;
  if (for_crash_report) {  // in a signal handler: fixed integers only
    if (api.InfoAddSection(info, "status") != server_api::kOk) return;
    api.InfoAddFieldULongLong(info, "version_number", kVersion);
    api.InfoAddFieldULongLong(info, "sweep_passes", module.sweep.passes());
    return;
  }
  try {
    write_info(info, module);
  } catch (...) {  // out of memory: what was written so far stands
  }
}

}  // namespace tenants
