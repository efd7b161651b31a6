// May the module go? Not while the server may still run, or read, anything of it.
#include "module/accounting/server_text.h"
#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;

namespace {

// Before 9.1 the server dies when a module goes whose commands an ACL rule names (valkey #2797).
bool named_in_acl(Module& module) {
  server_api::Reply reply = module.ask.acl();
  if (!server_api::is(reply.get(), server_api::kReplyArray)) return !module.server.valkey_at_least(9, 1);
  for (std::size_t i = 0; i < api.CallReplyLength(reply.get()); ++i) {
    std::string_view rules = server_api::text(api.CallReplyArrayElement(reply.get(), i));
    for (std::string_view rule : {"+tenants.", "-tenants.", "+@tenants", "-@tenants"})
      if (rules.find(rule) != std::string_view::npos) return true;
  }
  return false;
}

// What the server may still run, or read; null: nothing is left. O(clients): all of CLIENT LIST.
const char* still_in_use(Module& module) {
  constexpr const char* kQueued =
      "an open transaction holds a command of this module, or may: let its client send EXEC or DISCARD, or close it "
      "with CLIENT KILL, first";
  constexpr const char* kRanLast =
      "a client is connected whose last command was one of this module's, and CLIENT LIST (field cmd) would read freed "
      "memory: let it send another command, or close it with CLIENT KILL, first";
  constexpr const char* kBlocked =
      "a client is blocked, and what it has sent already may hold a command of this module: wait for it, or unblock it "
      "with CLIENT UNBLOCK or the end of CLIENT PAUSE, first";
  const char* why = nullptr;
  auto ours = [&](std::uint16_t command) { return is_ours(module.commands.counted(command).name); };
  // What is queued is not all known where the filter ran out of memory, or has taken a transaction for lost.
  auto may_hold_ours = [&](const Client& client) {
    bool known = client.is(Client::kInMulti | Client::kRanQueued) && !client.is(Client::kWillFail);
    return module.lost_queued || !known || client.queued.has(ours);
  };
  module.clients.for_each([&](Client& client) {
    if (!client.is(Client::kUnlisted)) return;
    if (ours(client.last)) why = kRanLast;
    if (client.is(Client::kInMulti | Client::kRanQueued) && may_hold_ours(client)) why = kQueued;
  });
  // From 9.1 on a pipeline is looked up as a whole, before its first command runs.
  bool looks_ahead = module.server.valkey_at_least(9, 1);
  std::uint32_t place = 0;
  do
    place = list_some(module, place, 1000, [&](Client& client, const ClientLine& line) {
      if (looks_ahead && line.has_flag('b')) why = kBlocked;
      if (is_ours(line.value("cmd"))) why = kRanLast;
      if (line.has_flag('x') && may_hold_ours(client)) why = kQueued;
    });
  while (place > 0 && !why);
  return why;
}

}  // namespace

const char* why_not_unloaded(Module& module) noexcept {
  try {
    if (named_in_acl(module))
      return "an ACL user has a rule that names a command or the category of this module, or the server does not tell "
             "(rename-command ACL): remove it first";
    return still_in_use(module);
  } catch (...) {
    return "out of memory";
  }
}

}  // namespace tenants
