#include "tool/fleet/tenant.h"

#include <algorithm>
#include <set>

#include "module/accounting/escape.h"
#include "tool/client/printable.h"
#include "tool/fleet/window.h"
#include "tool/snapshot/parse.h"

namespace tenants::tool {

namespace {

constexpr std::size_t kMostPrefixes = 50;  // that are asked for their largest keys
constexpr std::size_t kMostKeys = 10;

Node& node_at(Snapshot& snapshot, const std::string& address) {
  return *std::ranges::find_if(snapshot.nodes, [&](const Node& node) { return node.address == address; });
}

void add_counts(const Reply* map, std::map<std::string, std::uint64_t>& counts) {
  for (std::size_t i = 0; map && i + 1 < map->elements.size(); i += 2)
    counts[printable(map->elements[i].text)] += map->elements[i + 1].number().value_or(0);
}

std::uint64_t number_of(const Reply& map, std::string_view name) {
  const Reply* value = map.find(name);
  return value ? value->number().value_or(0) : 0;
}

void add_databases(const Reply& reply, TenantDetails& details) {
  const Reply* databases = reply.find("databases");
  details.databases_known &= databases != nullptr;
  for (std::size_t i = 0; databases && i < databases->elements.size(); ++i) {
    const Reply& one = databases->elements[i];
    TenantDatabase& sum = details.databases[number_of(one, "database")];
    auto known = [&](const char* name) {
      const Reply* value = one.find(name);
      return value ? value->number().value_or(kAbsent) : kAbsent;
    };
    add_known(sum.keys, known("keys"));
    add_known(sum.bytes, known("bytes"));
    add_known(sum.bytes_error, known("bytes_error"));
  }
}

void add_uses(const Reply& prefix, const Row& row, TenantDetails& details) {
  auto& users = details.uses[{row.name, row.kind}];
  if (const Reply* shared = prefix.find("shared_with"))
    for (const Reply& user : shared->elements) users[std::string(user.text)].may_write = true;
  if (const Reply* used = prefix.find("used_by"))
    for (const Reply& user : used->elements) {
      PrefixUse& use = users[user.text_of("name")];
      use.reads += number_of(user, "reads_sampled");
      use.writes += number_of(user, "writes_sampled");
    }
  if (users.empty()) details.uses.erase({row.name, row.kind});
}

template <typename Number>
void add(std::optional<Number>& sum, std::optional<Number> part) {
  sum = sum && part ? std::optional(*sum + *part) : std::nullopt;
}

void add_recent(const Reply& reply, bool data_source, Trend& trend) {
  const Reply *recent = reply.find("recent"), *window = nullptr;
  for (std::size_t i = 0; recent && i < recent->elements.size(); ++i)
    if (number_of(recent->elements[i], "window") == static_cast<std::uint64_t>(trend.window))
      window = &recent->elements[i];
  double seconds = window ? seconds_in(*window) : 0;
  trend.seconds = std::max(trend.seconds, seconds);
  Row row = window ? read_row(Table::kTenants, *window) : Row{};
  for (std::size_t i = 0; i < trend.rates.size(); ++i) {
    bool known = seconds > 0 && row.values[i] != kAbsent;
    add(trend.rates[i], known ? std::optional(static_cast<double>(row.values[i]) / seconds) : std::nullopt);
  }
  if (!data_source) return;
  auto [keys, bytes] = window ? changes_in(*window) : std::array<std::optional<long long>, 2>{};
  add(trend.keys_change, keys);
  add(trend.bytes_change, bytes);
}

// One node's reply to TENANTS.GET.
void take_in(const Reply& reply, Node& node, TenantDetails& details) {
  Row tenant = read_row(Table::kTenants, reply);
  tenant.values[tenant_column::kUsers] = number_of(reply, "users_total");
  tenant.values[tenant_column::kPrefixes] = number_of(reply, "prefixes_total");
  node.rows(Table::kTenants).push_back(std::move(tenant));
  if (const Reply* users = reply.find("users")) {
    for (const Reply& user : users->elements) {
      Row row = read_row(Table::kUsers, user);
      row.kind = Kind::kUser;
      node.rows(Table::kUsers).push_back(std::move(row));
      add_counts(user.find("commands_by_name"), details.commands);
      const Reply* slow = user.find("slow_commands");
      for (std::size_t i = 0; slow && i < slow->elements.size(); ++i) {
        const Reply& one = slow->elements[i];
        details.slow.push_back(
            {printable(one.text_of("command")), node.address, number_of(one, "cpu_usec"), number_of(one, "unix_msec")});
      }
    }
  }
  if (const Reply* prefixes = reply.find("prefixes")) {
    for (const Reply& prefix : prefixes->elements) {
      node.rows(Table::kPrefixes).push_back(read_row(Table::kPrefixes, prefix));
      add_uses(prefix, node.rows(Table::kPrefixes).back(), details);
    }
  }
  if (node.data_source) add_databases(reply, details);
  for (Trend& trend : details.trends) add_recent(reply, node.data_source, trend);
}

void add_big_keys(Fleet& fleet, TenantDetails& details) {
  std::vector<Command> commands;
  std::set<std::string_view> names;  // a prefix and a key of the same name are asked for at once
  for (const Row& prefix : details.prefixes.rows)
    if (commands.size() < kMostPrefixes && names.insert(prefix.name).second)
      commands.push_back({"TENANTS.BIGKEYS", prefix.name, "COUNT", std::to_string(kMostKeys)});
  if (commands.empty()) return;
  for (const Answer& answer : fleet.ask(commands)) {
    if (!answer.ok() || !node_at(details.nodes, answer.node).data_source) continue;
    for (std::size_t i = 0; i < commands.size(); ++i) {  // another error: this node has no such prefix
      details.big_keys_denied |= answer.replies[i].is_error() && answer.replies[i].text.starts_with("NOPERM");
      for (const Reply& key : answer.replies[i].elements)
        details.big_keys.push_back({key.text_of("key"), key.text_of("prefix"), printable(key.text_of("type")),
                                    answer.node, number_of(key, "db"), number_of(key, "bytes")});
    }
  }
  std::ranges::stable_sort(details.big_keys, std::ranges::greater(), &BigKey::bytes);
  if (details.big_keys.size() > kMostKeys) details.big_keys.resize(kMostKeys);
}

}  // namespace

std::vector<std::pair<std::string, std::uint64_t>> TenantDetails::most_called() const {
  std::vector<std::pair<std::string, std::uint64_t>> calls(commands.begin(), commands.end());
  std::ranges::stable_sort(calls, std::ranges::greater(), &std::pair<std::string, std::uint64_t>::second);
  return calls;
}

TenantDetails read_tenant(Fleet& fleet, const std::string& name, bool big_keys) {
  TenantDetails details;
  for (Trend& trend : details.trends) {
    for (std::size_t i = 0; i < columns(Table::kTenants).size(); ++i)
      if (columns(Table::kTenants)[i].kind == Column::kCounter) trend.rates[i] = 0;
    trend.keys_change = trend.bytes_change = 0;
  }
  details.nodes = fleet.read({.tenants = false});
  std::optional<Failure> why;
  bool found = false;
  for (Answer& answer : fleet.ask({{"TENANTS.GET", name}})) {
    Node& node = node_at(details.nodes, answer.node);
    if (!answer.ok()) {
      node.fail(answer.failure);
      continue;
    }
    const Reply& reply = answer.replies[0];
    if (reply.is_error()) {  // not known here, which another node may be
      try {
        check(reply);
      } catch (const Failure& failure) {
        if (failure.code != Exit::kError) throw;
        why = failure;
      }
      continue;
    }
    found = true;
    take_in(reply, node, details);
  }
  if (!found && why && std::string_view(why->what()).find("no such tenant") == std::string_view::npos)
    throw Failure(*why);
  if (!found && details.nodes.nodes_up())
    throw Failure(Exit::kError, "no such tenant " + escape(name) + "; valkey-tenants list names them all");
  if (!found) return details;
  details.tenant = sum(details.nodes, Table::kTenants).rows.front();
  details.users = sum(details.nodes, Table::kUsers);
  details.prefixes = sum(details.nodes, Table::kPrefixes);
  std::ranges::sort(details.slow, std::ranges::greater(), &SlowCommand::unix_msec);
  if (big_keys) add_big_keys(fleet, details);
  return details;
}

}  // namespace tenants::tool
