// What the server's COMMAND says, and the names that it leaves out.
#include <algorithm>
#include <cerrno>

#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;
using server_api::view;

namespace {

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

}  // namespace

const CommandEntry* learn(Module& module, server_api::String* name) {
  if (!is_command(name)) return nullptr;
  server_api::Reply reply = module.ask.command(name);
  if (!server_api::is(reply.get(), server_api::kReplyArray)) return nullptr;
  module.last_command = nullptr;  // the table may move
  add_command(module.commands, api.CallReplyArrayElement(reply.get(), 0), view(name));
  return module.commands.find(view(name));
}

void read_command_table(Module& module) {
  server_api::Reply reply = module.ask.commands();
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

}  // namespace tenants
