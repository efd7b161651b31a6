// Who ran what: the command filter. It sees every command before it runs, at queue time inside MULTI, and again the
// inner commands of scripts and modules.
#include <algorithm>
#include <array>
#include <cerrno>

#include "module/hooks/hooks.h"
#include "server_api/nesting.h"

namespace tenants {

using server_api::api;
using server_api::view;

namespace {

// By call(), the server's own count: EXEC and each of what it runs is one, and so is the INFO that tells.
constexpr const char* kProcessed = "total_commands_processed";

std::uint32_t special_of(std::string_view name) {
  struct Named {
    std::string_view name;
    std::uint32_t special;
  };
  static constexpr Named kNamed[] = {
      {"multi", CommandEntry::kMulti},
      {"exec", CommandEntry::kExec | CommandEntry::kNotQueued | CommandEntry::kScript},
      {"discard", CommandEntry::kDiscard | CommandEntry::kNotQueued},
      {"quit", CommandEntry::kNotQueued},
      {"reset", CommandEntry::kReset | CommandEntry::kIdentity | CommandEntry::kNotQueued},
      {"watch", CommandEntry::kWatch},
      {"unwatch", CommandEntry::kUnwatch},
      {"move", CommandEntry::kOtherDatabase},
      {"copy", CommandEntry::kOtherDatabase},
      {"auth", CommandEntry::kIdentity | CommandEntry::kAuth},
      {"hello", CommandEntry::kIdentity | CommandEntry::kAuth},
      {"acl|setuser", CommandEntry::kAcl | CommandEntry::kOfOneUser},
      {"client|no-touch", CommandEntry::kNoTouch},
      {"acl|deluser", CommandEntry::kAcl | CommandEntry::kIdentity},
      {"acl|load", CommandEntry::kAcl | CommandEntry::kIdentity},
      {"migrate", CommandEntry::kMigrate},
      {"monitor", CommandEntry::kMonitor},
      {"cluster|syncslots", CommandEntry::kImport},
      {"eval", CommandEntry::kScript},
      {"eval_ro", CommandEntry::kScript},
      {"evalsha", CommandEntry::kScript},
      {"evalsha_ro", CommandEntry::kScript},
      {"fcall", CommandEntry::kScript},
      {"fcall_ro", CommandEntry::kScript},
  };
  for (const Named& named : kNamed)
    if (named.name == name) return named.special;
  return 0;
}

// Does the server know a command of this name? A renamed one is known by its new name only.
bool is_command(server_api::String* name) {
  int keys = 0;
  errno = 0;
  int* positions = api.GetCommandKeys(nullptr, &name, 1, &keys);
  if (!positions) return errno != ENOENT;
  api.Free(positions);
  return true;
}

// One element of the reply of COMMAND or COMMAND INFO: name, arity, flags, …, subcommands at 9. `called`: by which
// clients call it, where it was renamed.
void add_command(CommandTable& table, server_api::CallReply* info, std::string_view called) {
  if (!server_api::is(info, server_api::kReplyArray)) return;
  std::string_view name = server_api::text(api.CallReplyArrayElement(info, 0));
  int arity = static_cast<int>(api.CallReplyInteger(api.CallReplyArrayElement(info, 1)));
  server_api::CallReply* flags = api.CallReplyArrayElement(info, 2);
  bool reads = false, writes = false, administers = false, publishes = false;
  std::uint32_t special = special_of(name);
  for (std::size_t i = 0; i < api.CallReplyLength(flags); ++i) {
    std::string_view flag = server_api::text(api.CallReplyArrayElement(flags, i));
    reads |= flag == "readonly";
    writes |= flag == "write";
    administers |= flag == "admin";
    publishes |= flag == "pubsub";
    if (flag == "no_multi") special |= CommandEntry::kNoMulti;
    if (flag == "noscript") special |= CommandEntry::kNoScript;
    if (flag == "no_auth") special |= CommandEntry::kNoAuth;
    if (flag == "module") special |= CommandEntry::kIdentity | CommandEntry::kOtherDatabase | CommandEntry::kOfModule;
  }
  bool script = special & CommandEntry::kScript && !(special & CommandEntry::kExec);
  Kind kind = script        ? Kind::kScript
              : writes      ? Kind::kWrite
              : reads       ? Kind::kRead
              : publishes   ? Kind::kPubsub
              : administers ? Kind::kAdmin
                            : Kind::kOther;
  server_api::CallReply* subcommands = api.CallReplyArrayElement(info, 9);
  if (server_api::is(subcommands, server_api::kReplyArray) && api.CallReplyLength(subcommands) > 0) {
    special |= CommandEntry::kContainer;
    for (std::size_t i = 0; i < api.CallReplyLength(subcommands); ++i) {
      server_api::CallReply* subcommand = api.CallReplyArrayElement(subcommands, i);
      std::string_view full = server_api::text(api.CallReplyArrayElement(subcommand, 0));
      add_command(table, subcommand, std::string(called).append(full.substr(std::min(full.find('|'), full.size()))));
    }
  }
  table.add(called, name, kind, arity, special);
}

// A name that the table lacks: unknown to the server, too, or one that it was given by rename-command. Once per name.
const CommandEntry* learn(Module& module, server_api::String* name) {
  if (!is_command(name)) return nullptr;
  server_api::Reply reply(api.Call(module.context.get(), "COMMAND", "cs", "INFO", name));
  if (!server_api::is(reply.get(), server_api::kReplyArray)) return nullptr;
  module.last_command = nullptr;  // the table may move
  add_command(module.commands, api.CallReplyArrayElement(reply.get(), 0), view(name));
  return module.commands.find(view(name));
}

// Commands that count in keyspace_hits or keyspace_misses of INFO, but for few that are rare: subcommands, SET … GET.
bool looks_keys_up(const CommandTable& commands, const CommandEntry& command) {
  const std::string& name = commands.name(command);
  if (command.kind == Kind::kRead) return name.find('|') == std::string::npos;
  return name == "getex" || name == "getdel" || name == "getset";
}

// What the server says of the client; nothing where it must not be asked. From 9.0 on it takes whoever executes now if
// that has this id, which may be a client of its pool, without a connection: the server would end. So nobody may
// execute but a client with a connection: the one whose script has called this filter, or nobody at all.
std::optional<server_api::ClientInfo> ask_for(Module& module, const Client& client) {
  if (module.server.valkey_at_least(9, 0)) {
    bool own_script = module.in_call && &client == module.script_client && !module.nested_script;
    bool others_script = api.GetContextFlags(nullptr) & server_api::kFlagLua;
    if (!own_script && (module.in_call || others_script || is_within_command(module))) return std::nullopt;
  }
  server_api::ClientInfo info{.version = 1};
  if (api.GetClientInfoById(&info, client.id) != server_api::kOk) return std::nullopt;
  return info;
}

// In which database the client is; nothing where its keys must not be opened.
std::optional<int> database_of(Module& module, const Client& client) {
  if (module.no_touch.contains(client.id)) return std::nullopt;
  std::optional<server_api::ClientInfo> info = ask_for(module, client);
  return info ? std::optional(info->db) : std::nullopt;
}

// Does the key exist, and has it not expired? Counts it for so many reads.
void count_lookup(Module& module, int db, server_api::String* name, std::uint64_t reads) {
  api.SelectDb(module.context.get(), db);
  server_api::Key* key = api.OpenKey(module.context.get(), name, server_api::kOpenKeyUnnoticed);
  bool hit = false;
  if (key) {
    long long expires = api.GetAbsExpire(key);  // GetExpire goes by the time of the command before
    hit = expires < 0 || expires >= api.Milliseconds();
    api.CloseKey(key);
  }
  module.lookups.count(module.cpu.sequence(), module.prefixes[module.prefixes.find(view(name))].cache, hit, reads);
}

// Of a command with many keys one, by chance, stands for all of them. `client`: who runs the command, or null where
// nobody knows in which database.
[[gnu::noinline]] void sample_lookups(Module& module, const Client* client, server_api::FilterContext* context,
                                      const CommandEntry& command) {
  constexpr int kFewKeys = 16;
  module.frame = reinterpret_cast<std::uintptr_t>(context);
  std::uint64_t reads = module.lookups.stands_for(), chance = module.lookups.draw();
  if (!client || !looks_keys_up(module.commands, command)) return;
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
    std::uint64_t all = few ? reads : reads * static_cast<std::uint64_t>(keys);
    if (client->is(Client::kInMulti))
      module.lookups.queue(client->id, view(key), all);
    else
      count_lookup(module, *db, key, all);
  }
}

// EXEC runs, or the transaction is given up. What it writes itself is not foreseen.
void settle_queued_lookups(Module& module, const Client& client, bool run) {
  if (!module.lookups.has_queued()) return;
  std::vector<LookupSampler::Queued> lookups = module.lookups.take_queued(client.id);
  std::optional<int> db;
  if (run && !lookups.empty()) db = database_of(module, client);
  if (!db) return;
  for (const LookupSampler::Queued& lookup : lookups) {
    server_api::OwnedString key(api.CreateString(nullptr, lookup.key.data(), lookup.key.size()));
    count_lookup(module, *db, key.get(), lookup.stands_for);
  }
}

void leave_transaction(Client& client) {
  client.clear(Client::kInMulti | Client::kWillFail | Client::kQueuedIdentity | Client::kQueuedOtherDatabase |
               Client::kWatching);
}

// For whom commands of this client count.
std::uint32_t row_of(const Client& client) { return client.is(Client::kImport) ? UserTable::kInternal : client.user; }

void take_back(Module& module, User& user, std::uint16_t command, std::uint64_t times = 1) {
  user.take_back(command, module.commands.counted(command).kind, times);
}

void take_back_queued(Module& module, Client& client) {
  if (client.is(Client::kRanQueued)) {
    User& user = module.users[row_of(client)];
    client.queued.visit_part(0,
                             [&](const Transaction::Item& item) { take_back(module, user, item.command, item.times); });
  }
  client.uncounted = Client::kNothing;
  client.clear(Client::kRanQueued);
}

// HELLO 3 AUTH …, too.
bool authenticates(const CommandEntry& command, int arguments) {
  return command.special & CommandEntry::kAuth && (command.arity != -1 || arguments >= 5);
}

// Nothing of it will run.
void give_up_transaction(Module& module, Client& client) {
  client.set(Client::kWillFail);
  module.acl.forget(client.id);
}

void queue(Module& module, Client& client, const CommandEntry& command, int arguments) {
  if (command.special & (CommandEntry::kNoMulti | CommandEntry::kMulti)) give_up_transaction(module, client);
  if (client.is(Client::kWillFail)) return;
  client.queued.add(client.last);
  if (command.special & (CommandEntry::kIdentity | CommandEntry::kAcl)) client.set(Client::kQueuedIdentity);
  if (command.special & CommandEntry::kOtherDatabase) client.set(Client::kQueuedOtherDatabase);
  if (authenticates(command, arguments)) client.queued.end_part();
}

// Was its MULTI refused? Where the server does not tell of refusals; asked once per client and change of the ACL.
bool multi_failed(Module& module, Client& client) {
  if (module.tells_refusals || client.is(Client::kMayMulti)) return false;
  std::optional<server_api::ClientInfo> info = ask_for(module, client);
  if (!info) return false;
  if (!(info->flags & server_api::kClientInMulti)) return true;
  client.set(Client::kMayMulti);
  return false;
}

// The next part of the transaction that runs.
void count_part_of_exec(Module& module, Client& client) {
  User& user = module.users[row_of(client)];
  auto count = [&](const Transaction::Item& item) {
    user.count(item.command, module.commands.counted(item.command).kind, item.times);
  };
  client.uncounted = static_cast<std::uint32_t>(client.queued.visit_part(client.uncounted, count));
}

// EXEC runs what was queued, and counts it: for the user of now up to the first AUTH, the rest as its users come to be
// known.
void exec(Module& module, Client& client) {
  if (client.is(Client::kWillFail)) return;
  module.exec_elsewhere = client.is(Client::kQueuedOtherDatabase) && module.server.valkey_at_least(9, 0);
  client.set(Client::kRanQueued);
  client.uncounted = 0;
  count_part_of_exec(module, client);
  settle_queued_lookups(module, client, true);
  if (client.uncounted < client.queued.end())
    take_last_bytes(module, client);  // up to its AUTH they are the old user's
  if (client.is(Client::kWatching)) {
    mark_pending(module, client);
    module.watched_exec = {client.id, server_statistic(module, kProcessed)};
  }
  if (client.is(Client::kQueuedIdentity)) {
    mark_pending(module, client);
    module.may_nest = true;
    module.acl.exec_runs(client.id);
  }
}

// ACL SETUSER name …, ACL DELUSER name …, or ACL LOAD, by this client (0: in a script, or by a module's call). It is
// acted upon when it has run.
void note_acl_change(Module& module, server_api::FilterContext* context, const CommandEntry& command,
                     std::uint64_t client, bool queued) {
  bool closes = command.special & CommandEntry::kIdentity;
  int names = api.CommandFilterArgsCount(context);
  if (command.special & CommandEntry::kOfOneUser) names = 3;
  if (names == 2 || names - 2 > static_cast<int>(AclReading::kMostTold))
    return module.acl.tell(client, {}, queued, closes);
  for (int i = 2; i < names; ++i) module.acl.tell(client, view(api.CommandFilterArgGet(context, i)), queued, closes);
}

// What a command may mean for the state of its client. True where it counts now.
bool take_special(Module& module, Client& client, const CommandEntry& command, int arguments) {
  std::uint32_t special = command.special;
  if (client.is(Client::kInMulti) && client.queued.end() == 0 && multi_failed(module, client))
    leave_transaction(client);
  if (client.is(Client::kInMulti) && !(special & CommandEntry::kNotQueued)) {
    queue(module, client, command, arguments);
    return false;
  }
  if (special & CommandEntry::kScript && !(api.GetContextFlags(nullptr) & server_api::kFlagLua)) {
    module.script_client = &client;
    module.script_user = client.user;
    module.nested_script = false;
    module.script_frame = 0;
  }
  if (special & CommandEntry::kExec && client.is(Client::kInMulti)) exec(module, client);
  if (special & (CommandEntry::kExec | CommandEntry::kDiscard | CommandEntry::kReset)) {
    if (!(special & CommandEntry::kExec)) module.acl.forget(client.id);
    leave_transaction(client);
    settle_queued_lookups(module, client, false);
  }
  if (special & CommandEntry::kMulti) {
    client.set(Client::kInMulti);
    client.queued.clear();
    module.acl.forget(client.id);
    client.uncounted = Client::kNothing;
  }
  if (special & CommandEntry::kWatch) client.set(Client::kWatching);
  if (special & CommandEntry::kUnwatch) client.clear(Client::kWatching);
  if (special & CommandEntry::kReset) forget_monitor(module, client);
  if (special & CommandEntry::kMonitor && !client.is(Client::kMonitor)) {
    client.set(Client::kMonitor);
    ++module.monitors;
    mark_pending(module, client);  // it may be refused
  }
  if (special & CommandEntry::kImport) {
    client.set(Client::kImport);
    mark_pending(module, client);  // it may be refused
  }
  // Before 9.0 nobody tells whether it logs in: taken for granted, so that what it runs counts.
  if (authenticates(command, arguments) && !module.server.valkey_at_least(9, 0)) client.clear(Client::kAnonymous);
  if (special & CommandEntry::kReset) mark_anonymous(module, client);
  if (special & (CommandEntry::kIdentity | CommandEntry::kAcl)) mark_pending(module, client);
  if (special & CommandEntry::kIdentity) module.may_nest = true;
  return true;
}

// Inside a script, or a call by a module: its client is none that the server would tell of.
void count_nested(Module& module, const CommandEntry& command) {
  if (!module.pending.empty()) settle_users(module, false);
  std::uint32_t user = UserTable::kInternal;
  if (api.GetContextFlags(nullptr) & server_api::kFlagLua) {
    if (command.special & CommandEntry::kNoScript) return;
    user = module.script_client ? module.script_client->user : module.script_user;
  } else if (module.may_nest) {
    user = module.last_client ? module.last_client->user : module.cpu.charged();
  }
  if (command.special & CommandEntry::kScript && !(api.GetContextFlags(nullptr) & server_api::kFlagLua)) {
    module.script_client = module.may_nest ? module.last_client : nullptr;
    module.script_user = user;
    module.nested_script = true;
  }
  module.users[user].count(module.commands.number_of(command), command.kind);
}

// The user to whom what happens inside the command that runs belongs; `id`: the client of that inner command.
std::uint32_t user_behind(Module& module, std::uint64_t id) {
  bool of_a_call = module.in_call && id == module.call_id && id != module.last_id;
  if (const Client* client = of_a_call ? nullptr : module.clients.find(id)) return row_of(*client);
  if (api.GetContextFlags(nullptr) & server_api::kFlagLua)
    return module.script_client ? module.script_client->user : module.script_user;
  return module.may_nest && module.last_client ? module.last_client->user : UserTable::kInternal;
}

// Does the script of a client call, and not a module's command that it has called?
bool is_by_script_itself(Module& module) {
  if (module.frame >= module.script_frame) module.script_frame = 0;
  bool script = api.GetContextFlags(nullptr) & server_api::kFlagLua;
  return script && !module.nested_script && module.script_frame == 0;
}

[[gnu::noinline]] void filter_nested(Module& module, server_api::FilterContext* context, std::uint64_t id) {
  module.in_call = true;
  module.frame = reinterpret_cast<std::uintptr_t>(context);
  module.call_id = id;
  module.called_with_last_id |= id == module.last_id;
  server_api::String* name = api.CommandFilterArgGet(context, 0);
  const CommandEntry* command = module.commands.find(view(name));
  if (!command) command = learn(module, name);
  int arguments = api.CommandFilterArgsCount(context);
  if (command && command->special & CommandEntry::kContainer && arguments > 1)
    command = module.commands.find(view(name), view(api.CommandFilterArgGet(context, 1)));
  if (!command || !command->accepts(arguments)) return;
  if (command->special & CommandEntry::kAcl) note_acl_change(module, context, *command, 0, false);
  count_nested(module, *command);
  bool script = is_by_script_itself(module);
  if (script && command->special & CommandEntry::kOfModule) module.script_frame = module.frame;
  if (module.lookups.due()) sample_lookups(module, script ? module.script_client : nullptr, context, *command);
}

// True where the command counts now.
bool take_closer_look(Module& module, Client& client, server_api::FilterContext* context, server_api::String* name,
                      const CommandEntry*& command) {
  int arguments = api.CommandFilterArgsCount(context);
  if (!command) command = learn(module, name);
  if (command && command->special & CommandEntry::kContainer && arguments > 1)
    command = module.commands.find(view(name), view(api.CommandFilterArgGet(context, 1)));
  bool is_first = client.last == 0;
  if (command) client.last = module.commands.number_of(*command);  // of the server's, too, if it is refused
  if (!command || !command->accepts(arguments)) {
    if (client.is(Client::kInMulti)) give_up_transaction(module, client);
    return false;
  }
  if (command->special & CommandEntry::kNoTouch) note_no_touch(module, client);
  if (client.is(Client::kAnonymous) && !(command->special & CommandEntry::kNoAuth) && !default_is_open(module))
    return false;
  // The old user's until here, except what a new connection begins with.
  if (command->special & (CommandEntry::kAuth | CommandEntry::kReset) && !is_first && !client.is(Client::kInMulti))
    take_last_bytes(module, client);
  if (command->special & CommandEntry::kAcl && !client.is(Client::kWillFail))
    note_acl_change(module, context, *command, client.id, client.is(Client::kInMulti));
  if (client.is(Client::kInMulti) || command->special) return take_special(module, client, *command, arguments);
  return true;
}

// What the command before this one left to do.
[[gnu::noinline]] void catch_up(Module& module, Client& client, server_api::FilterContext* context) {
  module.frame = reinterpret_cast<std::uintptr_t>(context);
  module.in_call = false;
  if (!module.pending.empty()) settle_users(module, true, &client);
  if (client.is(Client::kRecheck | Client::kUnlisted)) recheck(module, client);
  if (!std::exchange(module.nesting_confirmed, true)) server_api::confirm_nesting();
  if (module.cpu.maybe_slow()) note_if_slow(module);
}

// What is not a plain command outside of a transaction.
[[gnu::noinline]] void filter_special(Module& module, Client& client, server_api::FilterContext* context,
                                      server_api::String* name, const CommandEntry* command) {
  module.frame = reinterpret_cast<std::uintptr_t>(context);
  if (command && command->special & (CommandEntry::kScript | CommandEntry::kOfModule) && !is_within_command(module))
    module.outer_frame = module.frame;
  client.clear(Client::kCounted | Client::kRanQueued);
  if (client.is(Client::kImport)) module.cpu.charge_to(UserTable::kInternal);
  bool counts = take_closer_look(module, client, context, name, command);
  module.last_command = command;
  if ((counts || (command && client.is(Client::kInMulti))) && module.lookups.due())
    sample_lookups(module, &client, context, *command);
  if (!counts) return;
  client.set(Client::kCounted);
  module.users[row_of(client)].count(client.last, command->kind);
}

// The hot path: no allocation, no lock, no system call; some 10 ns. `in_call`: for a call by a module, for certain.
void filter(Module& module, server_api::FilterContext* context, bool in_call) {
  std::uint64_t id = api.CommandFilterGetClientId(context);
  if (in_call) [[unlikely]]
    return filter_nested(module, context, id);
  Client* client = id == module.last_id ? module.last_client : module.clients.find(id);
  if (!client) client = adopt_client(module, id);
  if (!client) return filter_nested(module, context, id);
  if (!module.pending.empty() || client->is(Client::kRecheck | Client::kUnlisted) || module.cpu.maybe_slow())
    catch_up(module, *client, context);
  module.last_id = id;
  module.last_client = client;
  module.cpu.begin(client->user);
  module.may_nest = module.in_call = module.called_with_last_id = module.exec_elsewhere = false;

  server_api::String* name = api.CommandFilterArgGet(context, 0);
  const CommandEntry* command = module.commands.find(view(name));
  if (!command || command->special || client->is(Client::kInMulti | Client::kAnonymous | Client::kImport) ||
      !(module.tells_refusals || command->accepts(api.CommandFilterArgsCount(context))))
    return filter_special(module, *client, context, name, command);
  module.last_command = command;
  client->last = command->number;  // should it be refused, on_rejected takes it back
  client->clear(Client::kRanQueued);
  client->set(Client::kCounted);
  module.users[client->user].count(command->number, command->kind);
  if (module.lookups.due()) sample_lookups(module, client, context, *command);
}

}  // namespace

void read_command_table(Module& module) {
  server_api::Reply reply(api.Call(module.context.get(), "COMMAND", ""));
  if (!server_api::is(reply.get(), server_api::kReplyArray)) return;
  module.commands.clear();
  module.last_command = nullptr;
  for (std::size_t i = 0; i < api.CallReplyLength(reply.get()); ++i) {
    server_api::CallReply* info = api.CallReplyArrayElement(reply.get(), i);
    if (!server_api::is(info, server_api::kReplyArray)) continue;
    std::string_view name = server_api::text(api.CallReplyArrayElement(info, 0));
    server_api::OwnedString string(api.CreateString(nullptr, name.data(), name.size()));
    if (is_command(string.get())) add_command(module.commands, info, name);
  }
}

void on_command(server_api::FilterContext* context) noexcept {
  try {
    filter(*module_state, context, server_api::in_call_by_module());
  } catch (...) {  // out of memory while a new user gets its row: this command is not counted
    module_state->lost_queued = true;
  }
}

std::optional<bool> is_blocked(Module& module, const Client& client) {
  std::optional<server_api::ClientInfo> info = ask_for(module, client);
  return info ? std::optional(bool(info->flags & server_api::kClientBlocked)) : std::nullopt;
}

void count_rest_of_exec(Module& module, Client& client, bool whole) {
  while (client.uncounted < client.queued.end()) {
    count_part_of_exec(module, client);
    if (!whole) return;
  }
}

void take_back_last(Module& module, Client& client) {
  if (!client.is(Client::kCounted)) return;
  take_back(module, module.users[row_of(client)], client.last);
  take_back_queued(module, client);
  client.clear(Client::kCounted);
}

void settle_watched_exec(Module& module) {
  if (!module.watched_exec.client) return;
  WatchedExec exec = std::exchange(module.watched_exec, {});
  if (api.GetContextFlags(nullptr) & server_api::kFlagMulti) return;  // it runs
  Client* client = module.clients.find(exec.client);
  if (!client || !client->is(Client::kRanQueued)) return;  // it was refused, and taken back
  std::optional<std::uint64_t> processed = server_statistic(module, kProcessed);
  if (!processed || !exec.processed) return;
  std::uint64_t others = *processed - *exec.processed - 1;
  bool waits = others == 0;  // CLIENT PAUSE
  if (others == 1 || (waits && has_mark(module, *client, 'd'))) take_back_queued(module, *client);
}

void forget_transaction(Module& module, Client& client) {
  leave_transaction(client);
  module.acl.forget(client.id);
  settle_queued_lookups(module, client, false);
  if (module.script_client == &client) module.script_client = nullptr;
}

void note_if_slow(Module& module) {
  std::uint64_t nanoseconds = module.cpu.note_slow();
  std::uint32_t row = module.cpu.charged();
  if (nanoseconds < kSlowNanoseconds || row == UserTable::kInternal || !module.last_command) return;
  User& user = module.users[row];
  ++user.slow;
  if (!user.slow_log) user.slow_log = std::make_unique<SlowLog>();
  SlowCommand& slow = user.slow_log->commands[user.slow_log->written++ % SlowLog::kKept];
  slow = {.cpu_usec = nanoseconds / 1000, .unix_msec = api.Milliseconds()};
  module.commands.name(*module.last_command).copy(slow.name, sizeof slow.name - 1);
}

// Only 9.1+: commands that ran and replied an error. (The event of those that did well is not for us: whoever listens
// to it changes how they are propagated.)
void on_failed(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept {
  Module& module = *module_state;
  ++module.users[user_behind(module, static_cast<server_api::CommandResultInfo*>(data)->client_id)].errors;
}

// Only 9.1+. It follows the filter at once, before anything else can run, unless the command had to wait (CLIENT
// PAUSE).
void on_rejected(server_api::Context*, server_api::Event event, std::uint64_t subevent, void* data) noexcept {
  Module& module = *module_state;
  std::uint64_t id = static_cast<server_api::CommandResultInfo*>(data)->client_id;
  Client* client = id == module.last_id ? module.last_client : module.clients.find(id);
  if (!client) return;
  User& user = module.users[row_of(*client)];
  if (event.id == server_api::kEventCommandAclRejected && subevent < kDenials)
    ++user.denied[subevent];
  else
    ++user.rejected;
  if (client->is(Client::kInMulti)) {
    if (client->is(Client::kCounted))
      leave_transaction(*client);  // it was MULTI
    else
      give_up_transaction(module, *client);
  }
  module.acl.rejected(id);
  take_back_last(module, *client);
  if (id != module.last_id) return;
  module.lookups.refused(module.cpu.sequence());
  module.exec_elsewhere = false;
}

}  // namespace tenants
