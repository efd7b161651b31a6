// Who ran what: the command filter. It sees every command before it runs, at queue time inside MULTI, and again the
// inner commands of scripts and modules.
#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;
using server_api::view;

namespace {

std::uint16_t special_of(std::string_view name) {
  struct Named {
    std::string_view name;
    std::uint16_t special;
  };
  static constexpr Named kNamed[] = {
      {"multi", CommandEntry::kMulti},
      {"exec", CommandEntry::kExec | CommandEntry::kNotQueued},
      {"discard", CommandEntry::kDiscard | CommandEntry::kNotQueued},
      {"quit", CommandEntry::kNotQueued},
      {"reset", CommandEntry::kReset | CommandEntry::kIdentity | CommandEntry::kNotQueued},
      {"auth", CommandEntry::kIdentity},
      {"hello", CommandEntry::kIdentity},
      {"acl|setuser", CommandEntry::kAcl},
      {"acl|deluser", CommandEntry::kAcl | CommandEntry::kIdentity},
      {"acl|load", CommandEntry::kAcl | CommandEntry::kIdentity},
      {"monitor", CommandEntry::kMonitor},
  };
  for (const Named& named : kNamed)
    if (named.name == name) return named.special;
  return 0;
}

// One element of the reply of COMMAND: name, arity, flags, …, subcommands at 9.
void add_command(CommandTable& table, server_api::CallReply* info) {
  if (!server_api::is(info, server_api::kReplyArray)) return;
  std::string_view name = server_api::text(api.CallReplyArrayElement(info, 0));
  int arity = static_cast<int>(api.CallReplyInteger(api.CallReplyArrayElement(info, 1)));
  server_api::CallReply* flags = api.CallReplyArrayElement(info, 2);
  Kind kind = Kind::kOther;
  std::uint16_t special = special_of(name);
  for (std::size_t i = 0; i < api.CallReplyLength(flags); ++i) {
    std::string_view flag = server_api::text(api.CallReplyArrayElement(flags, i));
    if (flag == "readonly") kind = Kind::kRead;
    if (flag == "write") kind = Kind::kWrite;
    if (flag == "no_multi") special |= CommandEntry::kNoMulti;
    if (flag == "module") special |= CommandEntry::kIdentity;
  }
  server_api::CallReply* subcommands = api.CallReplyArrayElement(info, 9);
  if (server_api::is(subcommands, server_api::kReplyArray) && api.CallReplyLength(subcommands) > 0) {
    special |= CommandEntry::kContainer;
    for (std::size_t i = 0; i < api.CallReplyLength(subcommands); ++i)
      add_command(table, api.CallReplyArrayElement(subcommands, i));
  }
  table.add(name, kind, arity, special);
}

void count(Module& module, std::uint32_t user, Kind kind) {
  ++module.users[user].commands[static_cast<std::size_t>(kind)];
}

// The rest of what a command may mean for the state of its client. True where it counts now.
bool take_special(Module& module, Client& client, const CommandEntry& command) {
  if (client.is(Client::kInMulti) && !(command.special & CommandEntry::kNotQueued)) {
    if (command.special & (CommandEntry::kNoMulti | CommandEntry::kMulti)) {
      client.flags |= Client::kWillFail;
      return false;
    }
    ++client.queued[static_cast<std::size_t>(command.kind)];
    if (command.special & (CommandEntry::kIdentity | CommandEntry::kAcl)) client.flags |= Client::kQueuedIdentity;
    module.charge.state = Charge::kQueued;
    return false;
  }
  if (client.is(Client::kInMulti) &&
      command.special & (CommandEntry::kExec | CommandEntry::kDiscard | CommandEntry::kReset)) {
    if (command.special & CommandEntry::kExec && !client.is(Client::kWillFail)) {
      for (std::size_t kind = 0; kind < kKinds; ++kind) module.users[client.user].commands[kind] += client.queued[kind];
      if (client.is(Client::kQueuedIdentity)) {
        mark_pending(module, client);
        module.may_nest = true;
        module.acl.wanted = true;
        module.all_pending = true;
      }
    }
    client.queued = {};
    client.flags &= static_cast<std::uint16_t>(~(Client::kInMulti | Client::kWillFail | Client::kQueuedIdentity));
  }
  if (command.special & CommandEntry::kMulti) client.flags |= Client::kInMulti;
  if (command.special & CommandEntry::kReset) forget_monitor(module, client);
  if (command.special & CommandEntry::kMonitor && !client.is(Client::kMonitor)) {
    client.flags |= Client::kMonitor;
    ++module.monitors;
  }
  if (command.special & CommandEntry::kAcl) {
    module.acl.wanted = true;
    if (command.special & CommandEntry::kIdentity) module.all_pending = true;
  }
  if (command.special & CommandEntry::kIdentity) {
    mark_pending(module, client);
    module.may_nest = true;
  }
  return true;
}

void filter(Module& module, server_api::FilterContext* context) {
  std::uint64_t id = api.CommandFilterGetClientId(context);
  if (!module.pending.empty()) settle_users(module, true);
  Client* client = id == module.last_id ? module.last_client : module.clients.find(id);
  if (!client) client = adopt_client(module, id);
  std::string_view name = view(api.CommandFilterArgGet(context, 0));
  const CommandEntry* command = module.commands.find(name);
  int arguments = api.CommandFilterArgsCount(context);
  if (command && command->special & CommandEntry::kContainer && arguments > 1)
    command = module.commands.find(name, view(api.CommandFilterArgGet(context, 1)));
  bool runs = command && command->accepts(arguments);

  if (!client) {  // inside a script or a call by a module
    if (!runs) return;
    if (command->special & CommandEntry::kAcl) module.acl.wanted = module.all_pending = true;
    bool nested = module.may_nest || api.GetContextFlags(nullptr) & server_api::kFlagLua;
    count(module, nested ? module.current_user : UserTable::kInternal, command->kind);
    return;
  }
  module.last_id = id;
  module.last_client = client;
  module.current_user = client->user;
  module.may_nest = false;
  module.charge = {client, client->user, command ? command->kind : Kind::kOther, Charge::kNone};
  if (!runs) {
    if (client->is(Client::kInMulti)) client->flags |= Client::kWillFail;
    return;
  }
  if ((client->flags & (Client::kInMulti | Client::kMonitor) || command->special) &&
      !take_special(module, *client, *command))
    return;
  module.charge.state = Charge::kCounted;
  count(module, client->user, command->kind);
}

}  // namespace

void read_command_table(Module& module) {
  server_api::Reply reply(api.Call(module.context.get(), "COMMAND", ""));
  if (!server_api::is(reply.get(), server_api::kReplyArray)) return;
  for (std::size_t i = 0; i < api.CallReplyLength(reply.get()); ++i)
    add_command(module.commands, api.CallReplyArrayElement(reply.get(), i));
}

void on_command(server_api::FilterContext* context) noexcept {
  try {
    filter(*module_state, context);
  } catch (...) {  // out of memory while a new user gets its row: this command is not counted
  }
}

// Only 9.1+. It follows the filter at once, before anything else can run.
void on_rejected(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept {
  Module& module = *module_state;
  auto* info = static_cast<server_api::CommandResultInfo*>(data);
  Charge& charge = module.charge;
  if (!charge.client || module.last_id != info->client_id) return;
  if (charge.state == Charge::kCounted) --module.users[charge.user].commands[static_cast<std::size_t>(charge.kind)];
  if (charge.state == Charge::kQueued) --charge.client->queued[static_cast<std::size_t>(charge.kind)];
  if (charge.client->is(Client::kInMulti)) charge.client->flags |= Client::kWillFail;
  charge.state = Charge::kNone;
}

}  // namespace tenants
