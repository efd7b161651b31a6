// Looks keys up for commands chosen by chance: does a read find its key? And who reads and writes what others do, too?
#include <functional>
#include <memory>
#include <optional>

#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;
using server_api::view;

namespace {

// Commands that count in keyspace_hits or keyspace_misses of INFO, but for few that are rare: subcommands, SET … GET.
bool looks_keys_up(const CommandTable& commands, const CommandEntry& command) {
  const std::string& name = commands.name(command);
  if (command.kind == Kind::kRead) return name.find('|') == std::string::npos;
  return name == "getex" || name == "getdel" || name == "getset";
}

// In which database the client is; nothing where its keys must not be opened.
std::optional<int> database_of(Module& module, const Client& client) {
  if (!module.identity.may_open_keys_for(client)) return std::nullopt;
  std::optional<server_api::ClientInfo> info = module.identity.ask_for(client);
  return info ? std::optional(info->db) : std::nullopt;
}

// Does the key exist, and has it not expired? Counts it for so many reads, of a key in this row.
void count_lookup(Module& module, int db, server_api::String* name, std::uint32_t row, std::uint64_t reads) {
  api.SelectDb(module.context.get(), db);
  server_api::Key* key = api.OpenKey(module.context.get(), name, server_api::kOpenKeyUnnoticed);
  bool hit = false;
  if (key) {
    long long expires = api.GetAbsExpire(key);  // GetExpire goes by the time of the command before
    hit = expires < 0 || expires >= api.Milliseconds();
    api.CloseKey(key);
  }
  module.lookups.count(module.cpu.sequence(), module.prefixes[row].cache, hit, reads);
}

// Counts a use of the key's prefix, where others use it, too.
void count_use(Module& module, const Client& client, std::uint32_t row, bool writes, std::uint64_t commands) {
  const Prefix& prefix = module.prefixes[row];
  std::uint32_t user = Attribution::row_of(client);
  if (prefix.is_orphan()) return;
  std::uint64_t id = module.prefixes.identity(row);
  if (prefix.users < 2 && module.prefixes.owner(row) == user && !module.shared_use.has(id)) return;
  SharedUse::Use use{.name = name_of_user(module, user), .user = user};
  (writes ? use.writes : use.reads) = commands;
  module.shared_use.count(module.cpu.sequence(), id, use);
}

// What a look at one key tells.
void count_key(Module& module, const Client& client, int db, server_api::String* name,
               const LookupSampler::Queued& what) {
  std::uint32_t row = module.prefixes.find(db, view(name));
  if (what.looks) count_lookup(module, db, name, row, what.stands_for);
  count_use(module, client, row, what.writes, what.stands_for);
}

}  // namespace

std::uint64_t name_of_user(const Module& module, std::uint32_t user) {
  return std::hash<std::string_view>()(module.users[user].name);
}

void sample_lookups(Module& module, const Client* client, server_api::FilterContext* context,
                    const CommandEntry& command) {
  constexpr int kFewKeys = 16;
  std::uint64_t commands = module.lookups.stands_for(), chance = module.lookups.draw();
  LookupSampler::Queued what{.writes = command.kind == Kind::kWrite, .looks = looks_keys_up(module.commands, command)};
  if (!client || !(what.writes || what.looks)) return;
  std::vector<server_api::String*>& arguments = module.arguments;
  arguments.clear();
  for (int i = 0; i < api.CommandFilterArgsCount(context); ++i)
    arguments.push_back(api.CommandFilterArgGet(context, i));
  int keys = 0;
  std::unique_ptr<int[], void (*)(int*)> positions(
      api.GetCommandKeys(nullptr, arguments.data(), static_cast<int>(arguments.size()), &keys),
      [](int* numbers) { api.Free(numbers); });
  std::optional<int> db = database_of(module, *client);
  if (!positions || keys < 1 || !db) return;
  bool few = keys <= kFewKeys;
  for (int i = 0; i < (few ? keys : 1); ++i) {
    server_api::String* key = arguments[positions[few ? static_cast<std::uint64_t>(i) : chance % keys]];
    what.stands_for = few ? commands : commands * static_cast<std::uint64_t>(keys);
    if (client->is(Client::kInMulti)) {
      what.key = view(key);
      module.lookups.queue(client->id, what);
    } else {
      count_key(module, *client, *db, key, what);
    }
  }
}

void settle_queued_lookups(Module& module, const Client& client, bool run) {
  if (!module.lookups.has_queued()) return;
  std::vector<LookupSampler::Queued> lookups = module.lookups.take_queued(client.id);
  std::optional<int> db;
  if (run && !lookups.empty()) db = database_of(module, client);
  if (!db) return;
  for (const LookupSampler::Queued& lookup : lookups) {
    server_api::OwnedString key(api.CreateString(nullptr, lookup.key.data(), lookup.key.size()));
    count_key(module, client, *db, key.get(), lookup);
  }
}

}  // namespace tenants
