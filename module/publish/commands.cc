#include <algorithm>

#include "module/accounting/escape.h"
#include "module/accounting/number.h"
#include "module/hooks/hooks.h"
#include "module/publish/publish.h"
#include "module/publish/replies.h"

namespace tenants {

using server_api::api;

namespace {

constexpr std::size_t kMostUsers = 100, kMostPrefixes = 1000;  // in one reply
constexpr std::size_t kMostSharing = 20;                       // one prefix
constexpr std::size_t kMostDatabasesShown = 1000;              // of one tenant, those with the lowest numbers

// One of "slow": the newest first.
void reply_slow(Context* context, const SlowLog* log) {
  std::uint64_t kept = log ? std::min<std::uint64_t>(log->written, SlowLog::kKept) : 0;
  api.ReplyWithArray(context, static_cast<long>(kept));
  for (std::uint64_t i = 1; i <= kept; ++i) {
    const SlowCommand& slow = log->commands[(log->written - i) % SlowLog::kKept];
    api.ReplyWithMap(context, 3);
    reply(context, "command");
    reply(context, slow.name);
    reply_field(context, "cpu_usec", slow.cpu_usec);
    reply_field(context, "unix_msec", static_cast<std::uint64_t>(slow.unix_msec));
  }
}

// Every command that the user ran, the most frequent first. Nothing is allocated: who began to reply must not fail, the
// client would wait for the rest.
void reply_commands(Context* context, const Module& module, const User& user) {
  std::array<std::uint16_t, CommandTable::kMostNumbers> numbers;
  std::uint16_t* end = numbers.data();
  for (std::size_t number = 0; number < user.numbers; ++number)
    if (user.by_number[number]) *end++ = static_cast<std::uint16_t>(number);
  std::sort(numbers.data(), end, [&](std::uint16_t a, std::uint16_t b) {
    return std::pair(user.by_number[b], a) < std::pair(user.by_number[a], b);
  });
  api.ReplyWithMap(context, end - numbers.data());
  for (std::uint16_t number : std::span(numbers.data(), end)) {
    reply(context, module.commands.counted(number).name);
    api.ReplyWithLongLong(context, static_cast<long long>(user.by_number[number]));
  }
}

void reply_user(Context* context, const Module& module, std::uint32_t row, const char* more = nullptr) {
  const User& user = module.users[row];
  UserValues values = user_values(module, row);
  api.ReplyWithMap(context, 3 + known(values) + (more != nullptr));
  reply_field(context, "name", user.name);
  reply_values(context, kUserColumns, values);
  reply(context, "commands_by_name");
  reply_commands(context, module, user);
  reply(context, "slow_commands");
  reply_slow(context, user.slow_log.get());
  if (more) reply(context, more);
}

// Who has used a prefix that others may use, too, most first; how many.
std::size_t uses_of(const Module& module, std::uint32_t row, std::array<SharedUse::Use, SharedUse::kMost>& uses) {
  std::size_t number = 0;
  if (!module.prefixes[row].is_orphan())
    module.shared_use.for_each(module.prefixes.identity(row), [&](const SharedUse::Use& use) {
      if (name_of_user(module, use.user) == use.name) uses[number++] = use;
    });
  return number;
}

// `for_its_owner`: without who and how many users there are that may use it, too.
void reply_prefixes(Context* context, const Module& module, const std::vector<std::uint32_t>& rows,
                    bool for_its_owner) {
  api.ReplyWithArray(context, static_cast<long>(std::min(rows.size(), kMostPrefixes)));
  for (std::size_t i = 0; i < rows.size() && i < kMostPrefixes; ++i) {
    PrefixValues values = prefix_values(module, rows[i]);
    if (for_its_owner) values[prefix_columns::kUsers] = kAbsent;
    std::array<std::uint32_t, kMostSharing> others;
    std::size_t sharing = 0;
    if (!for_its_owner)
      module.owners.for_each_other(rows[i], kMostSharing, [&](std::uint32_t user) { others[sharing++] = user; });
    std::array<SharedUse::Use, SharedUse::kMost> uses;
    std::size_t using_it = for_its_owner ? 0 : uses_of(module, rows[i], uses);
    api.ReplyWithMap(context, 2 + known(values) + (sharing > 0) + (using_it > 0));
    PrefixTable::Title title = module.prefixes.title(rows[i]);
    reply_field(context, "name", title.name);
    reply_field(context, "kind", prefix_kind(rows[i], title));
    reply_values(context, kPrefixColumns, values);
    if (sharing > 0) {
      reply(context, "shared_with");
      api.ReplyWithArray(context, static_cast<long>(sharing));
      for (std::uint32_t user : std::span(others).first(sharing)) reply(context, module.users[user].name);
    }
    if (using_it == 0) continue;
    reply(context, "used_by");
    api.ReplyWithArray(context, static_cast<long>(using_it));
    for (const SharedUse::Use& use : std::span(uses).first(using_it)) {
      api.ReplyWithMap(context, 3);
      reply_field(context, "name", module.users[use.user].name);
      reply_field(context, "reads_sampled", use.reads);
      reply_field(context, "writes_sampled", use.writes);
    }
  }
}

// Where a tenant's keys lie.
void reply_databases(Context* context, const std::map<int, Held>& databases) {
  reply(context, "databases");
  api.ReplyWithArray(context, static_cast<long>(std::min(databases.size(), kMostDatabasesShown)));
  std::size_t shown = 0;
  for (const auto& [db, held] : databases) {
    if (shown++ == kMostDatabasesShown) break;
    bool sized = held.bytes != kAbsent, bounded = sized && held.error != kAbsent;
    api.ReplyWithMap(context, 2 + sized + bounded);
    reply_field(context, "database", static_cast<std::uint64_t>(db));
    reply_field(context, "keys", held.keys);
    if (sized) reply_field(context, "bytes", held.bytes);
    if (bounded) reply_field(context, "bytes_error", held.error);
  }
}

// The rows of all prefixes that are billed to this tenant.
std::vector<std::uint32_t> prefixes_of(const Module& module, std::uint32_t tenant) {
  const std::deque<std::uint32_t>& tenant_of = module.tallies.tenant_of();
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < std::min<std::size_t>(tenant_of.size(), module.prefixes.end()); ++row)
    if (tenant_of[row] == tenant && module.prefixes.used(row) && tenant_of_prefix(module, row) == tenant)
      rows.push_back(row);
  return rows;
}

// The number of a tenant by its name. A group or a user comes before a row of the module's own, should it have its
// name.
std::optional<std::uint32_t> tenant_named(const Module& module, std::string_view name) {
  if (std::optional<std::uint32_t> group = module.tallies.groups().find(name)) return 1 + *group;
  if (std::uint32_t user = module.users.find(name)) return tenant_of_row(module, user);
  for (std::uint32_t own : {kOrphans, tenant_of_row(module, UserTable::kInternal),
                            tenant_of_row(module, UserTable::kOther), overhead_tenant(module)})
    if (tenant_at(module, own).name == name) return own;
  return std::nullopt;
}

// One tenant with all that is known of its users and its prefixes.
int get(Context* context, String** argv, int argc) {
  if (argc != 2) return api.WrongArity(context);
  Module& module = *module_state;
  module.identity.be_right(Identity::Of::kEverybody, false);
  module.tallies.bring_up_to_date(module);
  std::optional<std::uint32_t> number = tenant_named(module, server_api::view(argv[1]));
  std::optional<MemoryUse> memory;
  if (number == overhead_tenant(module)) memory = memory_use(module);
  const Columns& tenants = module.tallies.last().tenants;
  if (!number || (*number >= tenants.rows() && !memory))
    return refuse(context, number ? "no such tenant yet, it is new: the next tally has it, within seconds"
                                  : "no such tenant, TENANTS.LIST names them all");
  Tenant tenant = tenant_at(module, *number);
  std::vector<std::uint32_t> users, prefixes;
  TenantValues values = memory ? overhead_values(module, *memory) : tenants.row<TenantValues>(*number);
  std::uint32_t first_user = tenant_of_row(module, 0);
  if (*number >= first_user && !memory) {
    users.push_back(*number - first_user);
    std::uint32_t listed_as = tenant_of_user(module, users[0]);
    if (listed_as != *number)
      return refuse(context, "this user is no tenant of its own, it is part of the group " +
                                 escape(tenant_at(module, listed_as).name));
  } else if (!tenant.own) {  // a group
    for (std::uint32_t row = UserTable::kFirst; row < module.users.end(); ++row)
      if (tenant_of_user(module, row) == *number) users.push_back(row);
  }
  std::map<int, Held> databases;
  bool known_by_database = false;
  if (!memory) {
    prefixes = prefixes_of(module, *number);
    known_by_database = module.keyspace.for_each_place(prefixes, [&](std::uint32_t row, int db, std::int64_t keys) {
      databases[db].add(held(module, row, db, static_cast<std::uint64_t>(keys)));
    });
  }
  values[tenant_columns::kUsers] = values[tenant_columns::kPrefixes] = kAbsent;  // follow below
  api.ReplyWithMap(context, 6 + known(values) + !memory + known_by_database);
  reply_field(context, "name", tenant.name);
  reply_field(context, "kind", tenant.kind);
  reply_values(context, kTenantColumns, values);
  reply_field(context, "users_total", users.size());
  reply_field(context, "prefixes_total", prefixes.size());
  reply(context, "users");
  api.ReplyWithArray(context, static_cast<long>(std::min(users.size(), kMostUsers)));
  for (std::size_t i = 0; i < users.size() && i < kMostUsers; ++i) reply_user(context, module, users[i]);
  reply(context, "prefixes");
  reply_prefixes(context, module, prefixes, false);
  if (!memory) reply_recent(context, module, *number);
  if (known_by_database) reply_databases(context, databases);
  return server_api::kOk;
}

// What the caller itself uses, and nothing about anybody else.
int me(Context* context, String**, int argc) {
  if (argc != 1) return api.WrongArity(context);
  Module& module = *module_state;
  // A client with which modules call commands may bear the id of another one.
  if (module.in_call) return refuse(context, "not allowed in calls by modules and scripts");
  module.identity.be_right(Identity::Of::kEverybody, false);
  String* name = api.GetClientUserNameById(module.context.get(), api.GetClientId(context));
  std::uint32_t user = name ? module.users.find(server_api::view(name)) : 0;
  if (name) api.FreeString(module.context.get(), name);
  if (!user) return refuse(context, "you have no row of your own, tenants.max-users is used up");
  std::vector<std::uint32_t> prefixes;
  for (std::uint32_t row = PrefixTable::kFirst; row < module.prefixes.end(); ++row)
    if (module.prefixes.owner(row) == user && tenant_of_prefix(module, row) == tenant_of_user(module, user))
      prefixes.push_back(row);
  reply_user(context, module, user, "prefixes");
  reply_prefixes(context, module, prefixes, true);
  return server_api::kOk;
}

const char* type_name(int type) {
  constexpr const char* kNames[] = {"none", "string", "list", "hash", "set", "zset", "module", "stream"};
  return type >= 0 && type < static_cast<int>(std::size(kNames)) ? kNames[type] : "other";
}

// The largest keys, of one prefix or of all.
int big_keys(Context* context, String** argv, int argc) {
  if (argc > 4) return api.WrongArity(context);
  std::uint64_t count = 10;
  if (argc >= 3) {
    if (!is_word(server_api::view(argv[argc - 2]), "count")) return refuse(context, "unknown option, allowed is COUNT");
    std::optional<std::uint64_t> wanted = read_count(server_api::view(argv[argc - 1]));
    if (!wanted) return refuse(context, kCountRule);
    count = *wanted;
  }
  const Module& module = *module_state;
  std::vector<std::uint32_t> rows;
  if (argc == 2 || argc == 4) {
    rows = module.prefixes.named(server_api::view(argv[1]));
    if (rows.empty()) return refuse(context, "no such prefix, TENANTS.PREFIXES names them all");
  } else {
    for (std::uint32_t row = 0; row < module.prefixes.end(); ++row)
      if (module.prefixes.used(row)) rows.push_back(row);
  }
  std::vector<std::pair<const LargeKey*, std::uint32_t>> keys;
  for (std::uint32_t row : rows)
    if (const Measured* measured = latest(module, row))
      for (const LargeKey& key : measured->largest.keys()) keys.emplace_back(&key, row);
  auto last = keys.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, keys.size()));
  std::ranges::partial_sort(keys, last, std::ranges::greater(), [](const auto& item) { return item.first->bytes; });
  keys.erase(last, keys.end());
  api.ReplyWithArray(context, static_cast<long>(keys.size()));
  for (const auto& [key, row] : keys) {
    api.ReplyWithMap(context, 5);
    reply_field(context, "key", key->name);
    reply_field(context, "prefix", module.prefixes.title(row).name);
    reply_field(context, "db", static_cast<std::uint64_t>(key->db));
    reply_field(context, "type", type_name(key->type));
    reply_field(context, "bytes", key->bytes);
  }
  return server_api::kOk;
}

int show_status(Context* context, String**, int argc) {
  if (argc != 1) return api.WrongArity(context);
  module_state->identity.be_right(Identity::Of::kEverybody, false);
  module_state->tallies.bring_up_to_date(*module_state);
  auto fields = status(*module_state, memory_use(*module_state));
  api.ReplyWithMap(context, static_cast<long>(fields.size()));
  for (auto& [name, value] : fields) {
    reply(context, name);
    if (auto integer = number_in<long long>(value))
      api.ReplyWithLongLong(context, *integer);
    else
      reply(context, value);
  }
  return server_api::kOk;
}

int reset_statistics(Context* context, String**, int argc) {
  if (argc != 1) return api.WrongArity(context);
  reset_counters(*module_state);
  return api.ReplyWithSimpleString(context, "OK");
}

int help(Context* context, String**, int argc) {
  if (argc != 1) return api.WrongArity(context);
  constexpr const char* kLines[] = {
      "TENANTS.<command> [<arg> [value] [opt] ...]. Commands are:",
      "BIGKEYS [<prefix>] [COUNT <count>]",
      "    The largest keys, of one prefix or of all.",
      "DATABASES [<cursor> [MATCH <pattern>] [COUNT <count>] [SORTBY <column> [ASC|DESC]] [FORMAT <MAP|CSV>]]",
      "    One row per database that has keys.",
      "GET <tenant>",
      "    All that is known of one tenant: its users, commands by name, prefixes.",
      "HELP",
      "    Print this help.",
      "LIST [<cursor> [MATCH <pattern>] [COUNT <count>] [SORTBY <column> [ASC|DESC]] [FORMAT <MAP|CSV>]]",
      "    One row per tenant: what it uses.",
      "ME",
      "    What the user of this connection uses itself.",
      "PREFIXES [<cursor> [MATCH <pattern>] [COUNT <count>] [SORTBY <column> [ASC|DESC]] [FORMAT <MAP|CSV>]]",
      "    One row per key prefix.",
      "RESETSTAT",
      "    Start the counters of all users and prefixes anew.",
      "STATUS",
      "    The state of the module, and the sums of all rows.",
      "TOP [BY <column>] [OVER <10|60|300>] [COUNT <count>] [FORMAT <MAP|CSV>]",
      "    The tenants that used most in the last seconds.",
      "USERS [<cursor> [MATCH <pattern>] [COUNT <count>] [SORTBY <column> [ASC|DESC]] [FORMAT <MAP|CSV>]]",
      "    One row per ACL user.",
  };
  api.ReplyWithArray(context, static_cast<long>(std::size(kLines)));
  for (const char* line : kLines) api.ReplyWithSimpleString(context, line);
  return server_api::kOk;
}

template <auto function>
int guarded(Context* context, String** argv, int argc) noexcept {
  try {
    return function(context, argv, argc);
  } catch (...) {
    return api.ReplyWithError(context, "ERR tenants: out of memory");
  }
}

constexpr const char* kLooks = "readonly allow-loading allow-stale";
// As INFO is: who has all but the dangerous commands, or those of administrators, as tenants mostly do, shall not see
// other tenants. All commands are in @tenants, too, where a module may add a category: Redis 7.2 has no such function.
constexpr const char* kOfOthers = "admin dangerous";
constexpr const char* kOfAll = "";

struct Command {
  const char* name;
  server_api::CommandFunction function;
  const char* summary;
  const char* complexity;
  int arity;
  server_api::CommandArg* arguments = nullptr;
  const char* flags = kLooks;
  const char* categories = kOfOthers;
};

const char* add(Context* context, const Command& command) {
  if (api.CreateCommand(context, command.name, command.function, command.flags, 0, 0, 0) != server_api::kOk)
    return "a command named tenants.* exists already";
  server_api::Command* made = api.GetCommand(context, command.name);
  // Of a list with a category that it does not know the server takes none, and every tenant would see the others.
  std::string categories = command.categories;
  if (api.AddACLCategory) categories += categories.empty() ? "tenants" : " tenants";
  if (api.SetCommandACLCategories(made, categories.c_str()) != server_api::kOk)
    return "the server refused the ACL categories of the commands, without which every user might call them";
  server_api::CommandInfo info{.version = &server_api::kCommandInfoVersion,
                               .summary = command.summary,
                               .complexity = command.complexity,
                               .since = "0.1.0",
                               .arity = command.arity,
                               .args = command.arguments};
  api.SetCommandInfo(made, &info);
  return nullptr;
}

server_api::CommandArg argument(const char* name, int type, const char* token = nullptr, bool optional = true,
                                server_api::CommandArg* parts = nullptr) {
  return {.name = name,
          .type = type,
          .key_spec_index = -1,
          .token = token,
          .flags = optional ? server_api::kArgOptional : 0,
          .subargs = parts};
}

}  // namespace

const char* register_commands(Context* context) {
  using namespace server_api;
  if (api.AddACLCategory) api.AddACLCategory(context, "tenants");
  CommandArg tenant[] = {argument("tenant", kArgString, nullptr, false), {}};
  CommandArg count = argument("count", kArgInteger, "COUNT");
  CommandArg big_keys_arguments[] = {argument("prefix", kArgString), count, {}};
  CommandArg directions[] = {
      argument("asc", kArgPureToken, "ASC", false), argument("desc", kArgPureToken, "DESC", false), {}};
  CommandArg sorting[] = {
      argument("column", kArgString, nullptr, false), argument("order", kArgOneOf, nullptr, true, directions), {}};
  CommandArg formats[] = {
      argument("map", kArgPureToken, "MAP", false), argument("csv", kArgPureToken, "CSV", false), {}};
  CommandArg page[] = {argument("cursor", kArgString),
                       argument("pattern", kArgPattern, "MATCH"),
                       count,
                       argument("sorting", kArgBlock, "SORTBY", true, sorting),
                       argument("format", kArgOneOf, "FORMAT", true, formats),
                       {}};
  CommandArg top_arguments[] = {argument("column", kArgString, "BY"),
                                argument("seconds", kArgInteger, "OVER"),
                                count,
                                argument("format", kArgOneOf, "FORMAT", true, formats),
                                {}};
  constexpr const char* kOfPages =
      "O(N) with N the number of rows returned; with MATCH of those looked at, with SORTBY of all";
  const Command commands[] = {
      {"tenants.bigkeys", guarded<big_keys>, "Returns the largest keys, of one prefix or of all.",
       "O(1) for one prefix, O(N log N) with N the number of prefixes for all", -1, big_keys_arguments},
      {"tenants.databases", guarded<list_databases>, "Iterates over the databases and what each of them holds.",
       "O(N) with N the number of databases", -1, page},
      {"tenants.get", guarded<get>, "Returns all that is known of one tenant.",
       "O(N) with N the number of prefixes and, for a group, of users", 2, tenant},
      {"tenants.help", guarded<help>, "Returns helpful text about the commands of the tenants module.", "O(1)", 1,
       nullptr, "readonly fast allow-loading allow-stale", kOfAll},
      {"tenants.list", guarded<list_tenants>, "Iterates over the tenants and what each of them uses.", kOfPages, -1,
       page},
      {"tenants.me", guarded<me>, "Returns what the user of this connection uses itself.",
       "O(N) with N the number of prefixes", 1, nullptr, "readonly deny-script allow-loading allow-stale", kOfAll},
      {"tenants.prefixes", guarded<list_prefixes>, "Iterates over the key prefixes and what each of them holds.",
       kOfPages, -1, page},
      {"tenants.resetstat", guarded<reset_statistics>, "Starts the counters of all users and prefixes anew.",
       "O(N) with N the number of users, prefixes and connections", 1, nullptr, "admin allow-loading allow-stale"},
      {"tenants.status", guarded<show_status>, "Returns the state of the tenants module and the sums of all rows.",
       "O(1)", 1},
      {"tenants.top", guarded<top>, "Returns the tenants that used most in the last seconds.",
       "O(N) with N the number of tenants", -1, top_arguments},
      {"tenants.users", guarded<list_users>, "Iterates over the ACL users and what each of them uses.", kOfPages, -1,
       page},
  };
  for (const Command& command : commands)
    if (const char* why_not = add(context, command)) return why_not;
  return nullptr;
}

}  // namespace tenants
