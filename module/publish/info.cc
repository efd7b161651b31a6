#include <algorithm>
#include <string>

#include "module/accounting/escape.h"
#include "module/hooks/hooks.h"
#include "module/publish/publish.h"

namespace tenants {

using server_api::api;

namespace {

class Line {
 public:
  Line(server_api::InfoContext* info, const std::string& name) : info_(info) {
    api.InfoBeginDictField(info, name.c_str());
  }
  ~Line() { api.InfoEndDictField(info_); }
  void add(const char* field, std::uint64_t value) { api.InfoAddFieldULongLong(info_, field, value); }
  void add(const char* field, const std::optional<std::uint64_t>& value) {
    if (value) add(field, *value);
  }
  void add(const char* field, const std::string& value) { api.InfoAddFieldCString(info_, field, value.c_str()); }

 private:
  server_api::InfoContext* info_;
};

// Rows of the module's own begin with '(' and stay as they are; no escaped name does.
std::string shown(std::string_view name, bool own) { return own ? std::string(name) : escape(name); }

// The first `limit` after sorting by `weight`, largest first.
template <typename Item, typename Weight>
void keep_largest(std::vector<Item>& items, long long limit, Weight weight) {
  std::stable_sort(items.begin(), items.end(), [&](const Item& a, const Item& b) { return weight(a) > weight(b); });
  if (items.size() > static_cast<std::size_t>(limit)) items.resize(static_cast<std::size_t>(limit));
}

void add_users(server_api::InfoContext* info, const Module& module) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < module.users.end(); ++row) rows.push_back(row);
  keep_largest(rows, module.settings.info_rows, [&](std::uint32_t row) {
    return std::pair(module.users[row].commands_total(), module.users[row].connections);
  });
  for (std::uint32_t row : rows) {
    Line line(info, "user_" + shown(module.users[row].name, row < UserTable::kFirst));
    for (auto& [field, value] : user_fields(module, row)) line.add(field, value);
  }
}

void add_prefixes(server_api::InfoContext* info, const Module& module) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < module.prefixes.end(); ++row)
    if (module.prefixes.used(row)) rows.push_back(row);
  keep_largest(rows, module.settings.info_rows, [&](std::uint32_t row) {
    const Measured* measured = latest(module, row);
    return std::pair(module.keyspace.keys(row), measured ? measured->seen : 0);
  });
  for (std::uint32_t row : rows) {
    const Prefix& prefix = module.prefixes[row];
    PrefixRow values = prefix_row(module, row);
    Line line(info, "prefix_" + shown(prefix.name, row < PrefixTable::kFirst));
    if (prefix.owner) line.add("owner", shown(module.users[prefix.owner].name, prefix.owner < UserTable::kFirst));
    line.add("keys", values.keys);
    line.add("bytes", values.bytes);
    line.add("bytes_error", values.bytes_error);
    line.add("coverage", decimal(values.coverage));
    line.add("hits_sampled", prefix.cache.hits);
    line.add("misses_sampled", prefix.cache.misses);
    if (std::optional<double> ratio = prefix.cache.hit_ratio()) line.add("hit_ratio", decimal(*ratio));
    if (module.keyspace.live()) {
      line.add("expired", prefix.cache.expired);
      line.add("evicted", prefix.cache.evicted);
    }
    line.add("keys_without_ttl", values.keys_without_ttl);
    line.add("avg_ttl_msec", values.avg_ttl_msec);
  }
}

void add_tenants(server_api::InfoContext* info, const Module& module, const std::optional<MemoryUse>& memory) {
  std::vector<Row> rows = tenant_rows(module, memory);
  keep_largest(rows, module.settings.info_rows, [](const Row& row) { return std::pair(row.commands, row.keys); });
  for (const Row& row : rows) {
    Line line(info, "tenant_" + shown(row.name, std::string_view(row.kind) != "tenant"));
    line.add("users", row.users);
    line.add("prefixes", row.prefixes);
    line.add("connections", row.connections);
    line.add("commands", row.commands);
    line.add("reads", row.reads);
    line.add("writes", row.writes);
    line.add("cpu_usec", row.cpu_usec);
    line.add("keys", row.keys);
    line.add("bytes", row.bytes);
  }
}

void add_status(server_api::InfoContext* info, Module& module, const std::optional<MemoryUse>& memory) {
  for (auto& [name, value] : status(module, memory))
    api.InfoAddFieldCString(info, std::string(name).c_str(), value.c_str());
}

void write_info(server_api::InfoContext* info, Module& module) {
  settle_all(module, false);
  CpuSampler::Hold hold(module.cpu);
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
    api.InfoAddFieldULongLong(info, "sweep_passes", module.sweep.passes);
    return;
  }
  try {
    write_info(info, module);
  } catch (...) {  // out of memory: what was written so far stands
  }
}

}  // namespace tenants
