// Who ran what: the command filter. It sees every command before it runs, at queue time inside MULTI, and again the
// inner commands of scripts and modules.
#include <cerrno>

#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;
using server_api::view;

namespace {

constexpr std::size_t kMaxSegments = 1024;  // transactions with AUTH in them are rare; beyond, they count undivided

std::uint16_t special_of(std::string_view name) {
  struct Named {
    std::string_view name;
    std::uint16_t special;
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
      {"acl|setuser", CommandEntry::kAcl},
      {"acl|deluser", CommandEntry::kAcl | CommandEntry::kIdentity},
      {"acl|load", CommandEntry::kAcl | CommandEntry::kIdentity},
      {"monitor", CommandEntry::kMonitor},
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
  std::uint16_t special = special_of(name);
  for (std::size_t i = 0; i < api.CallReplyLength(flags); ++i) {
    std::string_view flag = server_api::text(api.CallReplyArrayElement(flags, i));
    reads |= flag == "readonly";
    writes |= flag == "write";
    administers |= flag == "admin";
    publishes |= flag == "pubsub";
    if (flag == "no_multi") special |= CommandEntry::kNoMulti;
    if (flag == "noscript") special |= CommandEntry::kNoScript;
    if (flag == "module") special |= CommandEntry::kIdentity | CommandEntry::kOtherDatabase;
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
  table.add(called, kind, arity, special);
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

void count(Module& module, std::uint32_t user, Kind kind) {
  ++module.users[user].commands[static_cast<std::size_t>(kind)];
}

void count(Module& module, std::uint32_t user, const Tally& commands) {
  for (std::size_t kind = 0; kind < kKinds; ++kind) module.users[user].commands[kind] += commands[kind];
}

void leave_transaction(Module& module, Client& client) {
  if (client.is(Client::kQueuedAuth))
    std::erase_if(module.segments, [&](const Segment& segment) { return segment.client == client.id; });
  client.queued = {};
  client.clear(Client::kInMulti | Client::kWillFail | Client::kQueuedIdentity | Client::kQueuedAuth |
               Client::kQueuedOtherDatabase | Client::kWatching);
}

void queue(Module& module, Client& client, const CommandEntry& command, int arguments) {
  if (command.special & (CommandEntry::kNoMulti | CommandEntry::kMulti)) {
    client.set(Client::kWillFail);
    return;
  }
  ++client.queued[static_cast<std::size_t>(command.kind)];
  module.charge.state = Charge::kQueued;
  if (command.special & (CommandEntry::kIdentity | CommandEntry::kAcl)) client.set(Client::kQueuedIdentity);
  if (command.special & CommandEntry::kOtherDatabase) client.set(Client::kQueuedOtherDatabase);
  bool authenticates =
      command.special & CommandEntry::kAuth && (command.arity != -1 || arguments >= 5);  // HELLO 3 AUTH …
  if (authenticates && module.segments.size() < kMaxSegments) {
    module.segments.push_back({client.id, client.queued});
    client.queued = {};
    client.set(Client::kQueuedAuth);
  }
}

// Did a key that the client watches change? Asked only for EXEC after WATCH, some 3 µs.
bool watch_failed(Module& module, const Client& client) {
  server_api::Reply reply = client_line(module, client);
  std::string_view line = server_api::text(reply.get());
  std::size_t flags = line.find(" flags=");
  if (flags == std::string_view::npos) return false;
  flags += 7;
  return line.substr(flags, line.find(' ', flags) - flags).find('d') != std::string_view::npos;
}

// EXEC runs what was queued, and counts it: for the user of now up to the first AUTH, the rest as its users come to be
// known.
void exec(Module& module, Client& client) {
  if (client.is(Client::kWillFail) || (client.is(Client::kWatching) && watch_failed(module, client))) return;
  Charge& charge = module.charge;
  charge.state = Charge::kExec;
  charge.transaction = client.queued;
  charge.other_databases = client.is(Client::kQueuedOtherDatabase) && module.server.valkey_at_least(9, 0);
  if (client.is(Client::kQueuedAuth)) {
    read_bytes(module, client);
    module.split.client = client.id;
    module.split.rest.clear();
    for (const Segment& segment : module.segments)
      if (segment.client == client.id) module.split.rest.push_back(segment.commands);
    module.split.rest.push_back(client.queued);
    charge.transaction = module.split.rest.front();
    module.split.rest.erase(module.split.rest.begin());
  }
  count(module, client.user, charge.transaction);
  if (client.is(Client::kQueuedIdentity)) {
    mark_pending(module, client);
    module.may_nest = true;
    module.acl.wanted = true;
    module.all_pending = true;
  }
}

// What a command may mean for the state of its client. True where it counts now.
bool take_special(Module& module, Client& client, const CommandEntry& command, int arguments) {
  std::uint16_t special = command.special;
  if (client.is(Client::kInMulti) && !(special & CommandEntry::kNotQueued)) {
    queue(module, client, command, arguments);
    return false;
  }
  module.charge.state = Charge::kCounted;
  if (special & CommandEntry::kScript && !(api.GetContextFlags(nullptr) & server_api::kFlagLua)) {
    module.script_client = &client;
    module.script_user = client.user;
  }
  if (special & CommandEntry::kExec && client.is(Client::kInMulti)) exec(module, client);
  if (special & (CommandEntry::kExec | CommandEntry::kDiscard | CommandEntry::kReset))
    leave_transaction(module, client);
  if (special & CommandEntry::kMulti) client.set(Client::kInMulti);
  if (special & CommandEntry::kWatch) client.set(Client::kWatching);
  if (special & CommandEntry::kUnwatch) client.clear(Client::kWatching);
  if (special & CommandEntry::kReset) forget_monitor(module, client);
  if (special & CommandEntry::kMonitor && !client.is(Client::kMonitor)) {
    client.set(Client::kMonitor);
    ++module.monitors;
  }
  if (special & CommandEntry::kAcl) {
    module.acl.wanted = true;
    if (special & CommandEntry::kIdentity) module.all_pending = true;
  }
  if (special & (CommandEntry::kAuth | CommandEntry::kReset)) read_bytes(module, client);  // the old user's until here
  if (special & CommandEntry::kIdentity) {
    mark_pending(module, client);
    module.may_nest = true;
  }
  return true;
}

// Inside a script, or a call by a module: its client is none that the server would tell of.
void count_nested(Module& module, const CommandEntry& command) {
  if (!module.pending.empty()) settle_users(module, false);
  if (command.special & CommandEntry::kAcl) module.acl.wanted = module.all_pending = true;
  std::uint32_t user = UserTable::kInternal;
  if (api.GetContextFlags(nullptr) & server_api::kFlagLua) {
    if (command.special & CommandEntry::kNoScript) return;
    user = module.script_client ? module.script_client->user : module.script_user;
  } else if (module.may_nest) {
    user = module.last_client ? module.last_client->user : module.cpu.charged();
  }
  count(module, user, command.kind);
}

// The user to whom what happens inside the command that runs belongs; `id`: the client of that inner command.
std::uint32_t user_behind(Module& module, std::uint64_t id) {
  if (const Client* client = module.clients.find(id)) return client->user;
  if (api.GetContextFlags(nullptr) & server_api::kFlagLua)
    return module.script_client ? module.script_client->user : module.script_user;
  return module.may_nest && module.last_client ? module.last_client->user : UserTable::kInternal;
}

[[gnu::noinline]] void filter_nested(Module& module, server_api::FilterContext* context) {
  server_api::String* name = api.CommandFilterArgGet(context, 0);
  const CommandEntry* command = module.commands.find(view(name));
  if (!command) command = learn(module, name);
  int arguments = api.CommandFilterArgsCount(context);
  if (command && command->special & CommandEntry::kContainer && arguments > 1)
    command = module.commands.find(view(name), view(api.CommandFilterArgGet(context, 1)));
  if (command && command->accepts(arguments)) count_nested(module, *command);
}

// What is not a plain command outside of a transaction. True where it counts now.
[[gnu::noinline]] bool take_closer_look(Module& module, Client& client, server_api::FilterContext* context,
                                        server_api::String* name, const CommandEntry*& command) {
  int arguments = api.CommandFilterArgsCount(context);
  if (!command) command = learn(module, name);
  if (command && command->special & CommandEntry::kContainer && arguments > 1)
    command = module.commands.find(view(name), view(api.CommandFilterArgGet(context, 1)));
  if (!command || !command->accepts(arguments)) {
    if (client.is(Client::kInMulti)) client.set(Client::kWillFail);
    return false;
  }
  client.last = command->kind;
  if (client.is(Client::kInMulti) || command->special) return take_special(module, client, *command, arguments);
  module.charge.state = Charge::kCounted;
  return true;
}

// The hot path: no allocation, no lock, no system call; some 15 ns.
void filter(Module& module, server_api::FilterContext* context) {
  std::uint64_t id = api.CommandFilterGetClientId(context);
  Client* client = id == module.last_id ? module.last_client : module.clients.find(id);
  if (!client) client = adopt_client(module, id);
  if (!client) return filter_nested(module, context);
  if (!module.pending.empty()) settle_users(module, true);
  if (client->is(Client::kRecheck)) recheck(module, *client);
  if (module.cpu.slow()) note_slow(module);
  module.last_id = id;
  module.last_client = client;
  module.cpu.begin(client->user);
  module.may_nest = false;
  module.charge.state = Charge::kNone;
  client->clear(Client::kCounted);

  server_api::String* name = api.CommandFilterArgGet(context, 0);
  const CommandEntry* command = module.commands.find(view(name));
  if (command && !command->special && !client->is(Client::kInMulti) &&
      (module.tells_refusals || command->accepts(api.CommandFilterArgsCount(context)))) {
    client->last = command->kind;  // should it be refused, on_rejected takes it back
    module.charge.state = Charge::kCounted;
    module.last_command = command;
  } else {
    bool counts = take_closer_look(module, *client, context, name, command);
    module.last_command = command;
    if (!counts) return;
  }
  client->set(Client::kCounted);
  count(module, client->user, client->last);
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
    server_api::String* string = api.CreateString(nullptr, name.data(), name.size());
    bool callable = is_command(string);
    api.FreeString(nullptr, string);
    if (callable) add_command(module.commands, info, name);
  }
}

void on_command(server_api::FilterContext* context) noexcept {
  try {
    filter(*module_state, context);
  } catch (...) {  // out of memory while a new user gets its row: this command is not counted
  }
}

void count_rest_of_exec(Module& module, const Client& client, bool whole) {
  SplitExec& split = module.split;
  if (split.client != client.id) return;
  while (!split.rest.empty()) {
    count(module, client.user, split.rest.front());
    split.rest.erase(split.rest.begin());
    if (!whole) return;
  }
  split.client = 0;
}

void take_back_blocked(Module& module, Client& client) {
  if (client.is(Client::kCounted)) --module.users[client.user].commands[static_cast<std::size_t>(client.last)];
}

void forget_transaction(Module& module, Client& client) {
  leave_transaction(module, client);
  if (module.script_client == &client) module.script_client = nullptr;
}

void note_slow(Module& module) {
  std::uint64_t usec = module.cpu.slow_nanoseconds() / 1000;
  std::uint32_t row = module.cpu.charged();
  module.cpu.note_slow();
  if (row == UserTable::kInternal || !module.last_command) return;
  User& user = module.users[row];
  if (!user.slow) user.slow = std::make_unique<SlowLog>();
  SlowCommand& slow = user.slow->commands[user.slow->total++ % SlowLog::kKept];
  slow = {.cpu_usec = usec, .unix_msec = api.Milliseconds()};
  module.last_command->name.copy(slow.name, sizeof slow.name - 1);
}

// Only 9.1+: commands that ran and replied an error. (The event of those that did well is not for us: whoever listens
// to it changes how they are propagated.)
void on_failed(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept {
  Module& module = *module_state;
  ++module.users[user_behind(module, static_cast<server_api::CommandResultInfo*>(data)->client_id)].errors;
}

// Only 9.1+. It follows the filter at once, before anything else can run.
void on_rejected(server_api::Context*, server_api::Event event, std::uint64_t subevent, void* data) noexcept {
  Module& module = *module_state;
  Client* client = module.last_client;
  if (!client || module.last_id != static_cast<server_api::CommandResultInfo*>(data)->client_id) return;
  User& user = module.users[module.cpu.charged()];
  if (event.id == server_api::kEventCommandAclRejected && subevent < kDenials)
    ++user.denied[subevent];
  else
    ++user.rejected;
  Charge& charge = module.charge;
  std::size_t kind = static_cast<std::size_t>(client->last);
  if (charge.state == Charge::kCounted || charge.state == Charge::kExec) --user.commands[kind];
  if (charge.state == Charge::kExec) {
    for (std::size_t i = 0; i < kKinds; ++i) user.commands[i] -= charge.transaction[i];
    module.split.client = 0;
  }
  if (charge.state == Charge::kQueued && client->queued[kind] > 0) --client->queued[kind];
  if (client->is(Client::kInMulti)) client->set(Client::kWillFail);
  client->clear(Client::kCounted);
  charge.state = Charge::kNone;
}

}  // namespace tenants
