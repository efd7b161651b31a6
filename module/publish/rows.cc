#include <algorithm>
#include <cmath>

#include "module/publish/publish.h"
#include "server_api/allocator.h"

namespace tenants {

using server_api::api;

namespace {

double pass_progress(const Sweep& sweep) {
  if (sweep.keys_expected == 0) return 1;
  return std::min(1.0, static_cast<double>(sweep.keys_seen) / static_cast<double>(sweep.keys_expected));
}

}  // namespace

std::string decimal(double value) {
  auto thousandths = static_cast<unsigned long long>(value * 1000);
  std::string text = std::to_string(thousandths % 1000);
  return std::to_string(thousandths / 1000) + "." + std::string(3 - text.size(), '0') + text;
}

const Measured* latest(const Module& module, std::uint32_t row) {
  const Prefix& prefix = module.prefixes[row];
  const Measured* last = module.sweep.complete ? prefix.seen_in(module.sweep.complete) : nullptr;
  return last ? last : prefix.seen_in(module.sweep.number);
}

PrefixRow prefix_row(const Module& module, std::uint32_t row) {
  const Measured* from = latest(module, row);
  bool complete = from ? from->pass == module.sweep.complete : module.sweep.complete > 0;
  PrefixRow result;
  result.keys = module.keyspace.keys(row);
  if (module.keyspace.mode() != Keyspace::Mode::kExact && module.sweep.passes == 0)
    result.keys = std::max(result.keys, from ? from->seen : 0);
  if (result.keys == 0) {
    if (complete) result.bytes = result.bytes_error = 0;
    result.coverage = 1;
    return result;
  }
  if (!from) return result;
  std::optional<Estimate> estimate = from->sample.estimate();
  if (!estimate) return result;
  auto keys = static_cast<double>(result.keys), seen = static_cast<double>(from->seen);
  result.bytes = static_cast<std::uint64_t>(std::llround(estimate->bytes * keys / seen));
  // What has come or gone since may have any size: it counts whole.
  if (complete && estimate->error)
    result.bytes_error = static_cast<std::uint64_t>(
        std::ceil((*estimate->error * keys + std::abs(keys - seen) * estimate->bytes) / seen));
  result.coverage = std::min(1.0, static_cast<double>(from->sample.keys_measured()) / keys);
  if (!complete && module.keyspace.mode() == Keyspace::Mode::kSwept)  // the keys shown are those met so far
    result.coverage *= pass_progress(module.sweep);
  if (complete) {
    result.keys_without_ttl = from->seen - from->with_ttl;
    if (from->with_ttl)
      result.avg_ttl_msec = static_cast<std::uint64_t>(from->ttl_msec / static_cast<double>(from->with_ttl));
  }
  return result;
}

std::optional<std::uint64_t> cpu_usec(const Module& module, std::uint32_t row) {
  if (!module.cpu.running() && module.cpu.nanoseconds(row) == 0) return std::nullopt;
  return module.cpu_nanoseconds(row) / 1000;
}

void reset_counters(Module& module) {
  for (std::uint32_t row = 0; row < module.users.end(); ++row) module.users[row].reset(module.cpu.nanoseconds(row));
  for (std::uint32_t row = 0; row < module.prefixes.end(); ++row) module.prefixes[row].cache = {};
  module.clients.for_each([](Client& client) { client.clear(Client::kCounted); });  // nothing is left to be taken back
  module.charge.state = Charge::kNone;
  module.rejected_before = server_statistic(module, "rejected_connections").value_or(0);
  module.reset_unix_msec = api.Milliseconds();
}

std::vector<std::pair<const char*, std::uint64_t>> user_fields(const Module& module, std::uint32_t row) {
  const User& user = module.users[row];
  auto of = [&](Kind kind) { return user.commands[static_cast<std::size_t>(kind)]; };
  std::vector<std::pair<const char*, std::uint64_t>> fields = {
      {"connections", user.connections},
      {"connections_peak", user.connections_peak},
      {"connections_total", user.connections_total},
      {"commands", user.commands_total()},
      {"reads", of(Kind::kRead)},
      {"writes", of(Kind::kWrite)},
      {"admin", of(Kind::kAdmin)},
      {"scripts", of(Kind::kScript)},
      {"pubsub", of(Kind::kPubsub)},
  };
  auto add = [&](const char* name, std::uint64_t value) { fields.emplace_back(name, value); };
  if (module.tells_refusals) {
    add("errors", user.errors);
    add("rejected", user.rejected);
    add("denied", user.denied_total());
  }
  if (module.server.valkey_at_least(9, 0)) add("auth_failures", user.auth_failures);
  if (std::optional<std::uint64_t> usec = cpu_usec(module, row)) {
    add("cpu_usec", *usec);
    add("slow", user.slow);
  }
  if (module.bytes.known && module.settings.bytes_interval > 0) {
    add("bytes_in", user.bytes_in);
    add("bytes_out", user.bytes_out);
  }
  return fields;
}

std::optional<MemoryUse> memory_use(const Module& module) {
  server_api::Reply stats(api.Call(module.context.get(), "MEMORY", "c", "STATS"));
  if (!server_api::is(stats.get(), server_api::kReplyArray)) return std::nullopt;
  std::uint64_t used = 0, overhead = 0, tables = 0, buckets = 0, keys = 0;
  auto integer = [](server_api::CallReply* reply) {
    bool is_one = server_api::is(reply, server_api::kReplyInteger);
    return is_one ? static_cast<std::uint64_t>(api.CallReplyInteger(reply)) : 0;
  };
  for (std::size_t i = 0; i + 1 < api.CallReplyLength(stats.get()); i += 2) {
    std::string_view name = server_api::text(api.CallReplyArrayElement(stats.get(), i));
    server_api::CallReply* value = api.CallReplyArrayElement(stats.get(), i + 1);
    if (name == "total.allocated") used = integer(value);
    if (name == "overhead.total") overhead = integer(value);
    if (name == "overhead.db.hashtable.lut") buckets = integer(value);
    if (name == "keys.count") keys = integer(value);
    if (name.starts_with("db.") && server_api::is(value, server_api::kReplyArray))
      for (std::size_t j = 1; j < api.CallReplyLength(value); j += 2)
        tables += integer(api.CallReplyArrayElement(value, j));
  }
  // What the server's overhead has in it and MEMORY USAGE, too: on 8.0 the entries of the tables of keys (dictEntry),
  // from 9.0 on an entry for each key and for each with a TTL, which are the keys themselves. 8.1's MEMORY USAGE lacks
  // them.
  std::uint64_t twice = 0;
  if (!module.server.valkey_at_least(8, 1)) twice = 40 * keys;
  if (module.server.valkey_at_least(9, 0)) twice = tables - std::min(tables, buckets);
  overhead -= std::min(overhead, twice);
  std::uint64_t own = server_api::allocated_bytes();
  return MemoryUse{used, overhead + own - std::min(own, module.allocated_at_start)};
}

std::vector<Row> tenant_rows(const Module& module, const std::optional<MemoryUse>& memory) {
  std::vector<Row> rows(module.users.end());
  for (std::uint32_t i = 0; i < module.users.end(); ++i) {
    const User& user = module.users[i];
    Row& row = rows[i];
    row.name = user.name;
    row.kind = i == UserTable::kInternal ? "internal" : i == UserTable::kOther ? "other" : "tenant";
    row.users = i >= UserTable::kFirst;
    row.connections = user.connections;
    row.commands = user.commands_total();
    row.reads = user.commands[static_cast<std::size_t>(Kind::kRead)];
    row.writes = user.commands[static_cast<std::size_t>(Kind::kWrite)];
    row.cpu_usec = cpu_usec(module, i);
    row.bytes = 0;
  }
  rows.push_back({.name = "(orphans)",
                  .kind = "orphans",
                  .cpu_usec = rows[0].cpu_usec ? std::optional(0) : std::nullopt,
                  .bytes = 0});
  std::size_t orphans = rows.size() - 1;
  if (memory)
    rows.push_back(
        {.name = "(overhead)", .kind = "overhead", .cpu_usec = rows[orphans].cpu_usec, .bytes = memory->overhead});
  for (std::uint32_t i = 0; i < module.prefixes.end(); ++i) {
    if (!module.prefixes.used(i)) continue;
    const Prefix& prefix = module.prefixes[i];
    PrefixRow measured = prefix_row(module, i);
    Row& row = rows[prefix.owner ? prefix.owner : orphans];
    ++row.prefixes;
    row.keys += measured.keys;
    if (measured.keys == 0) continue;
    if (row.bytes && measured.bytes)
      *row.bytes += *measured.bytes;
    else
      row.bytes.reset();
  }
  std::rotate(rows.begin(), rows.begin() + UserTable::kFirst, rows.end());  // the module's own come last
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].position = i + 1;
  // A user that left the ACL stays listed as long as it has something to show.
  std::erase_if(rows, [&](const Row& row) {
    if (row.users == 0) return false;
    const User& user = module.users[module.users.find(row.name)];
    return !user.in_acl && row.connections == 0 && row.commands == 0 && row.prefixes == 0;
  });
  return rows;
}

std::vector<std::pair<std::string_view, std::string>> status(Module& module, const std::optional<MemoryUse>& memory) {
  const Sweep& sweep = module.sweep;
  std::uint64_t connections = 0, commands = 0, keys = 0, orphans = 0, bytes = 0, cpu = 0;
  bool measured = false, known = true;
  for (std::uint32_t row = 0; row < module.users.end(); ++row) {
    connections += module.users[row].connections;
    commands += module.users[row].commands_total();
    cpu += module.cpu_nanoseconds(row);
  }
  for (std::uint32_t row = 0; row < module.prefixes.end(); ++row) {
    if (!module.prefixes.used(row)) continue;
    PrefixRow prefix = prefix_row(module, row);
    keys += prefix.keys;
    if (!module.prefixes[row].in_acl) orphans += prefix.keys;
    if (prefix.bytes) bytes += *prefix.bytes, measured = true;
    if (prefix.keys && !prefix.bytes) known = false;
  }
  std::uint64_t now = monotonic_usec();
  const char* modes[] = {"exact", "seeding", "swept"};
  const char* states[] = {"waiting", "running", "paused", "off"};
  std::string server = module.server.flavour == server_api::Flavour::kValkey ? "valkey " : "redis ";
  int version = module.server.version;
  server +=
      std::to_string(version >> 16) + "." + std::to_string(version >> 8 & 255) + "." + std::to_string(version & 255);
  bool running = sweep.state == Sweep::State::kRunning || sweep.began_usec > sweep.ended_usec;
  double progress = running ? pass_progress(sweep) : 1;
  if (sweep.began_usec == 0) progress = 0;

  std::vector<std::pair<std::string_view, std::string>> fields;
  auto add = [&](std::string_view name, auto value) {
    if constexpr (std::is_arithmetic_v<decltype(value)>)
      fields.emplace_back(name, std::to_string(value));
    else
      fields.emplace_back(name, value);
  };
  add("version", kVersionText);
  add("server", server);
  add("uptime_seconds", (now - module.loaded_usec) / 1'000'000);
  add("start_unix_seconds", module.started_unix_msec / 1000);
  add("reset_unix_seconds", module.reset_unix_msec / 1000);
  add("keys_mode", modes[static_cast<int>(module.keyspace.mode())]);
  add("users", module.users.in_use());
  add("users_capacity", module.users.capacity());
  add("prefixes", module.prefixes.in_use());
  add("prefixes_capacity", module.prefixes.capacity());
  add("connections", connections);
  if (std::optional<std::uint64_t> rejected = server_statistic(module, "rejected_connections")) {
    if (*rejected < module.rejected_before) module.rejected_before = 0;  // CONFIG RESETSTAT
    add("connections_rejected", *rejected - module.rejected_before);
  }
  add("commands", commands);
  if (module.cpu.running() || cpu > 0) add("cpu_usec", cpu / 1000);
  add("keys", keys);
  if (measured && known) add("bytes", bytes);
  if (memory) {
    add("used_memory_bytes", memory->used);
    add("overhead_bytes", memory->overhead);
    if (measured && known) add("unexplained_bytes", static_cast<std::int64_t>(memory->used - memory->overhead - bytes));
  }
  add("orphan_keys", orphans);
  add("acl", !module.acl.readable ? "unreadable" : module.acl.wanted || module.acl.running ? "reading" : "ok");
  add("sweep_state", states[static_cast<int>(sweep.state)]);
  add("sweep_passes", sweep.passes);
  add("sweep_progress", decimal(progress));
  if (sweep.passes) add("sweep_age_seconds", (now - sweep.ended_usec) / 1'000'000);
  add("sweep_keys_measured", sweep.keys_measured);
  add("sweep_cpu_usec", sweep.cpu_usec);
  add("sweep_longest_slice_usec", sweep.longest_slice_usec);
  add("drift", module.keyspace.drift());
  add("bytes_missed", module.bytes.missed);
  add("users_dropped", module.users.dropped());
  add("prefixes_dropped", module.prefixes.dropped());
  add("users_reused", module.users.reused());
  add("memory_bytes", server_api::allocated_bytes());
  return fields;
}

}  // namespace tenants
