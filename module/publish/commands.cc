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

void reply_row(Context* context, const Row& row) {
  api.ReplyWithMap(context, row.bytes ? 10 : 9);
  reply(context, "name");
  reply(context, row.name);
  reply(context, "kind");
  reply(context, row.kind);
  std::pair<const char*, std::uint64_t> fields[] = {
      {"users", row.users},       {"prefixes", row.prefixes}, {"connections", row.connections},
      {"commands", row.commands}, {"reads", row.reads},       {"writes", row.writes},
      {"keys", row.keys}};
  for (auto& [name, value] : fields) {
    reply(context, name);
    api.ReplyWithLongLong(context, static_cast<long long>(value));
  }
  if (!row.bytes) return;
  reply(context, "bytes");
  api.ReplyWithLongLong(context, static_cast<long long>(*row.bytes));
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
  settle_all(module);
  std::vector<Row> rows = tenant_rows(module);
  auto first = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.position >= *cursor; });
  auto last = first + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(*count), rows.end() - first);
  api.ReplyWithArray(context, 2);
  reply(context, std::to_string(last == rows.end() ? 0 : last->position));
  api.ReplyWithArray(context, last - first);
  for (auto row = first; row != last; ++row) reply_row(context, *row);
  return server_api::kOk;
}

int show_status(Context* context, String**, int argc) {
  if (argc != 1) return api.WrongArity(context);
  settle_all(*module_state);
  auto fields = status(*module_state);
  api.ReplyWithMap(context, static_cast<long>(fields.size()));
  for (auto& [name, value] : fields) {
    reply(context, name);
    std::optional<std::uint64_t> integer = number(value);
    if (integer)
      api.ReplyWithLongLong(context, static_cast<long long>(*integer));
    else
      reply(context, value);
  }
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

bool add(Context* context, const char* name, server_api::CommandFunction function,
         const server_api::CommandInfo& info) {
  if (api.CreateCommand(context, name, function, "readonly fast allow-loading allow-stale", 0, 0, 0) != server_api::kOk)
    return false;
  server_api::Command* command = api.GetCommand(context, name);
  api.SetCommandACLCategories(command, "tenants");
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
  server_api::CommandInfo status_info{.version = &server_api::kCommandInfoVersion,
                                      .summary = "Returns the state of the tenants module.",
                                      .complexity = "O(N) with N the number of users and prefixes",
                                      .since = "0.1.0",
                                      .arity = 1};
  return add(context, "tenants.list", guarded<list>, list_info) &&
         add(context, "tenants.status", guarded<show_status>, status_info);
}

}  // namespace tenants
