#include <algorithm>
#include <charconv>

#include "module/hooks/hooks.h"
#include "module/publish/publish.h"

namespace tenants {

using server_api::api;
using server_api::Context;
using server_api::String;

namespace {

constexpr std::uint64_t kMaxCount = 1000;

void reply(Context* context, std::string_view text) { api.ReplyWithStringBuffer(context, text.data(), text.size()); }

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool equals_count(std::string_view word) {
  std::string lower;
  for (char c : word) lower += static_cast<char>(c | 0x20);
  return lower == "count";
}

void reply_field(Context* context, const char* name, std::uint64_t value) {
  reply(context, name);
  api.ReplyWithLongLong(context, static_cast<long long>(value));
}

void reply_row(Context* context, const Row& row) {
  api.ReplyWithMap(context, 9 + row.cpu_usec.has_value() + row.bytes.has_value());
  reply(context, "name");
  reply(context, row.name);
  reply(context, "kind");
  reply(context, row.kind);
  reply_field(context, "users", row.users);
  reply_field(context, "prefixes", row.prefixes);
  reply_field(context, "connections", row.connections);
  reply_field(context, "commands", row.commands);
  reply_field(context, "reads", row.reads);
  reply_field(context, "writes", row.writes);
  if (row.cpu_usec) reply_field(context, "cpu_usec", *row.cpu_usec);
  reply_field(context, "keys", row.keys);
  if (row.bytes) reply_field(context, "bytes", *row.bytes);
}

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

// Every command that the user ran, the most frequent first.
void reply_commands(Context* context, const Module& module, const User& user) {
  std::vector<std::uint16_t> numbers;
  for (std::size_t number = 0; number < user.by_number.size(); ++number)
    if (user.by_number[number]) numbers.push_back(static_cast<std::uint16_t>(number));
  std::ranges::stable_sort(numbers, std::ranges::greater(), [&](auto number) { return user.by_number[number]; });
  api.ReplyWithMap(context, static_cast<long>(numbers.size()));
  for (std::uint16_t number : numbers) {
    reply(context, module.commands.counted(number).name);
    api.ReplyWithLongLong(context, static_cast<long long>(user.by_number[number]));
  }
}

// One tenant with all that is known of its user and its prefixes.
int get(Context* context, String** argv, int argc) {
  if (argc != 2) return api.WrongArity(context);
  Module& module = *module_state;
  settle_all(module, false);
  std::uint32_t user = module.users.find(server_api::view(argv[1]));
  if (!user) return api.ReplyWithError(context, "ERR tenants: no such tenant, TENANTS.LIST names them all");
  std::vector<std::uint32_t> prefixes;
  for (std::uint32_t row = 0; row < module.prefixes.end(); ++row)
    if (module.prefixes[row].owner == user) prefixes.push_back(row);
  auto fields = user_fields(module, user);
  bool denials = module.tells_refusals;
  api.ReplyWithMap(context, static_cast<long>(4 + fields.size() + denials));
  reply(context, "name");
  reply(context, module.users[user].name);
  for (auto& [name, value] : fields) reply_field(context, name, value);
  reply(context, "commands_by_name");
  reply_commands(context, module, module.users[user]);
  if (denials) {
    constexpr const char* kReasons[kDenials] = {"auth", "command", "key", "channel", "database"};
    reply(context, "denied_by_reason");
    api.ReplyWithMap(context, kDenials);
    for (std::size_t i = 0; i < kDenials; ++i) reply_field(context, kReasons[i], module.users[user].denied[i]);
  }
  reply(context, "slow_commands");
  reply_slow(context, module.users[user].slow_log.get());
  reply(context, "prefixes");
  api.ReplyWithArray(context, static_cast<long>(prefixes.size()));
  for (std::uint32_t row : prefixes) {
    PrefixRow values = prefix_row(module, row);
    api.ReplyWithMap(context, values.bytes ? 3 : 2);
    reply(context, "name");
    reply(context, module.prefixes[row].name);
    reply_field(context, "keys", values.keys);
    if (values.bytes) reply_field(context, "bytes", *values.bytes);
  }
  return server_api::kOk;
}

int list(Context* context, String** argv, int argc) {
  if (argc != 1 && argc != 2 && argc != 4) return api.WrongArity(context);
  std::optional<std::uint64_t> cursor = 0, count = 100;
  if (argc > 1) cursor = number(server_api::view(argv[1]));
  if (!cursor)
    return api.ReplyWithError(context, "ERR tenants: invalid cursor, allowed is 0 or what the call before returned");
  if (argc == 4) {
    if (!equals_count(server_api::view(argv[2])))
      return api.ReplyWithError(context, "ERR tenants: unknown option, allowed is COUNT");
    count = number(server_api::view(argv[3]));
    if (!count || *count < 1 || *count > kMaxCount)
      return api.ReplyWithError(context, "ERR tenants: invalid COUNT, allowed is 1 to 1000");
  }
  Module& module = *module_state;
  settle_all(module, false);
  std::vector<Row> rows = tenant_rows(module, memory_use(module));
  auto first = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.position >= *cursor; });
  auto last = first + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(*count), rows.end() - first);
  api.ReplyWithArray(context, 2);
  reply(context, std::to_string(last == rows.end() ? 0 : last->position));
  api.ReplyWithArray(context, last - first);
  for (auto row = first; row != last; ++row) reply_row(context, *row);
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
    if (!equals_count(server_api::view(argv[argc - 2])))
      return api.ReplyWithError(context, "ERR tenants: unknown option, allowed is COUNT");
    std::optional<std::uint64_t> wanted = number(server_api::view(argv[argc - 1]));
    if (!wanted || *wanted < 1 || *wanted > kMaxCount)
      return api.ReplyWithError(context, "ERR tenants: invalid COUNT, allowed is 1 to 1000");
    count = *wanted;
  }
  const Module& module = *module_state;
  std::optional<std::string_view> wanted;
  if (argc == 2 || argc == 4) wanted = server_api::view(argv[1]);
  std::vector<std::pair<const LargeKey*, std::uint32_t>> keys;
  bool found = false;
  for (std::uint32_t row = 0; row < module.prefixes.end(); ++row) {
    if (!module.prefixes.used(row) || (wanted && module.prefixes[row].name != *wanted)) continue;
    found = true;
    if (const Measured* measured = latest(module, row))
      for (const LargeKey& key : measured->largest.keys()) keys.emplace_back(&key, row);
  }
  if (!found) return api.ReplyWithError(context, "ERR tenants: no such prefix, INFO tenants_prefixes names them");
  auto last = keys.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, keys.size()));
  std::ranges::partial_sort(keys, last, std::ranges::greater(), [](const auto& item) { return item.first->bytes; });
  keys.erase(last, keys.end());
  api.ReplyWithArray(context, static_cast<long>(keys.size()));
  for (const auto& [key, row] : keys) {
    api.ReplyWithMap(context, 5);
    reply(context, "key");
    reply(context, key->name);
    reply(context, "prefix");
    reply(context, module.prefixes[row].name);
    reply_field(context, "db", static_cast<std::uint64_t>(key->db));
    reply(context, "type");
    reply(context, type_name(key->type));
    reply_field(context, "bytes", key->bytes);
  }
  return server_api::kOk;
}

int show_status(Context* context, String**, int argc) {
  if (argc != 1) return api.WrongArity(context);
  settle_all(*module_state, false);
  auto fields = status(*module_state, memory_use(*module_state));
  api.ReplyWithMap(context, static_cast<long>(fields.size()));
  for (auto& [name, value] : fields) {
    reply(context, name);
    long long integer = 0;
    const char* last = value.data() + value.size();
    if (auto [end, error] = std::from_chars(value.data(), last, integer); error == std::errc() && end == last)
      api.ReplyWithLongLong(context, integer);
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

template <auto function>
int guarded(Context* context, String** argv, int argc) noexcept {
  try {
    return function(context, argv, argc);
  } catch (...) {
    return api.ReplyWithError(context, "ERR tenants: out of memory");
  }
}

bool add(Context* context, const char* name, server_api::CommandFunction function, const server_api::CommandInfo& info,
         const char* flags = "readonly fast allow-loading allow-stale", const char* categories = "tenants") {
  if (api.CreateCommand(context, name, function, flags, 0, 0, 0) != server_api::kOk) return false;
  server_api::Command* command = api.GetCommand(context, name);
  api.SetCommandACLCategories(command, categories);
  api.SetCommandInfo(command, &info);
  return true;
}

}  // namespace

bool register_commands(Context* context) {
  if (api.AddACLCategory) api.AddACLCategory(context, "tenants");
  server_api::CommandArg list_arguments[] = {
      {.name = "cursor", .type = server_api::kArgInteger, .key_spec_index = -1, .flags = server_api::kArgOptional},
      {.name = "count",
       .type = server_api::kArgInteger,
       .key_spec_index = -1,
       .token = "COUNT",
       .flags = server_api::kArgOptional},
      {}};
  server_api::CommandInfo list_info{.version = &server_api::kCommandInfoVersion,
                                    .summary = "Iterates over the tenants and what each of them uses.",
                                    .complexity = "O(N) with N the number of users and prefixes",
                                    .since = "0.1.0",
                                    .arity = -1,
                                    .args = list_arguments};
  server_api::CommandArg big_keys_arguments[] = {
      {.name = "prefix", .type = server_api::kArgString, .key_spec_index = -1, .flags = server_api::kArgOptional},
      {.name = "count",
       .type = server_api::kArgInteger,
       .key_spec_index = -1,
       .token = "COUNT",
       .flags = server_api::kArgOptional},
      {}};
  server_api::CommandInfo big_keys_info{.version = &server_api::kCommandInfoVersion,
                                        .summary = "Returns the largest keys, of one prefix or of all.",
                                        .complexity = "O(N log N) with N the number of prefixes",
                                        .since = "0.1.0",
                                        .arity = -1,
                                        .args = big_keys_arguments};
  server_api::CommandInfo status_info{.version = &server_api::kCommandInfoVersion,
                                      .summary = "Returns the state of the tenants module.",
                                      .complexity = "O(N) with N the number of users and prefixes",
                                      .since = "0.1.0",
                                      .arity = 1};
  server_api::CommandArg get_arguments[] = {{.name = "name", .type = server_api::kArgString, .key_spec_index = -1}, {}};
  server_api::CommandInfo get_info{.version = &server_api::kCommandInfoVersion,
                                   .summary = "Returns all that is known of one tenant.",
                                   .complexity = "O(N) with N the number of prefixes",
                                   .since = "0.1.0",
                                   .arity = 2,
                                   .args = get_arguments};
  server_api::CommandInfo reset_info{.version = &server_api::kCommandInfoVersion,
                                     .summary = "Starts the counters of all users anew.",
                                     .complexity = "O(N) with N the number of users and connections",
                                     .since = "0.1.0",
                                     .arity = 1};
  return add(context, "tenants.bigkeys", guarded<big_keys>, big_keys_info) &&
         add(context, "tenants.get", guarded<get>, get_info) &&
         add(context, "tenants.list", guarded<list>, list_info) &&
         add(context, "tenants.resetstat", guarded<reset_statistics>, reset_info, "admin allow-loading allow-stale",
             "tenants admin dangerous") &&
         add(context, "tenants.status", guarded<show_status>, status_info);
}

}  // namespace tenants
