// Who ran what: the command filter. It sees every command before it runs, at queue time inside MULTI, and again the
// inner commands of scripts and modules. What each means for its client, accounting/attribution.h says; here the server
// is asked, and told.
#include <optional>
#include <utility>

#include "module/hooks/hooks.h"
#include "server_api/nesting.h"

namespace tenants {

using server_api::api;
using server_api::view;

namespace {

// By call(), the server's own count: EXEC and each of what it runs is one, and so is the INFO that tells.
constexpr const char* kProcessed = "total_commands_processed";

// Was its MULTI refused? Where the server does not tell of refusals.
bool multi_refused(Module& module, Client& client) {
  std::optional<server_api::ClientInfo> info = module.identity.ask_for(client);
  if (!info) return false;
  if (!(info->flags & server_api::kClientInMulti)) return true;
  client.set(Client::kMayMulti);
  return false;
}

// ACL SETUSER name …, ACL DELUSER name …, or ACL LOAD, by this client (0: in a script, or by a module's call). It is
// acted upon when it has run.
void note_acl_change(Module& module, server_api::FilterContext* context, const CommandEntry& command,
                     std::uint64_t client, bool queued) {
  bool closes = command.special & CommandEntry::kIdentity;
  int names = api.CommandFilterArgsCount(context);
  if (command.special & CommandEntry::kOfOneUser) names = 3;
  if (names == 2 || names - 2 > static_cast<int>(AclChanges::kMostTold))
    return module.acl_changes.tell(client, {}, queued, closes);
  for (int i = 2; i < names; ++i)
    module.acl_changes.tell(client, view(api.CommandFilterArgGet(context, i)), queued, closes);
}

// The entry of what was sent: of its subcommand, where it has one. `command`: what the table has of this name.
const CommandEntry* resolved(Module& module, server_api::FilterContext* context, server_api::String* name,
                             const CommandEntry* command) {
  if (!command) command = learn(module, name);
  if (command && command->special & CommandEntry::kContainer && api.CommandFilterArgsCount(context) > 1)
    command = module.commands.find(view(name), view(api.CommandFilterArgGet(context, 1)));
  return command;
}

// What is left to be done. `context`, `command`: what has been sent; null where the server has refused it.
void perform(Module& module, Client& client, unsigned effects, server_api::FilterContext* context = nullptr,
             const CommandEntry* command = nullptr) {
  if (effects & Attribution::kUsesNoTouch) module.identity.uses_no_touch(client);
  if (effects & Attribution::kTakeLastBytes) take_last_bytes(module, client);
  if (effects & (Attribution::kChangesAcl | Attribution::kQueuesAclChange))
    note_acl_change(module, context, *command, client.id, effects & Attribution::kQueuesAclChange);
  if (effects & Attribution::kRunsAclChanges) module.acl_changes.exec_runs(client.id);
  if (effects & Attribution::kForgetsAclChanges) module.acl_changes.forget(client.id);
  if (effects & (Attribution::kRunsQueued | Attribution::kDropsQueued))
    settle_queued_lookups(module, client, effects & Attribution::kRunsQueued);
  if (effects & Attribution::kBeginsMonitor) module.identity.begin_monitor();
  if (effects & Attribution::kEndsMonitor) module.identity.end_monitor(client);
  if (effects & Attribution::kLogsOut) module.identity.mark_anonymous(client);
  if (effects & Attribution::kAskUser) module.identity.ask_again(client);
  if (effects & Attribution::kAskIfRan) module.watched_exec = {client.id, module.ask.statistic(kProcessed)};
  module.may_nest |= static_cast<bool>(effects & Attribution::kMayCall);
  module.exec_elsewhere |= effects & Attribution::kElsewhere && module.server.valkey_at_least(9, 0);
}

// Inside a script, or a call by a module: its client is none that the server would tell of.
void count_nested(Module& module, const CommandEntry& command) {
  if (module.identity.asks_again()) module.identity.be_right(Identity::Of::kMarked, false);
  bool in_script = api.GetContextFlags(nullptr) & server_api::kFlagLua;
  Client* caller = module.may_nest ? module.last_client : nullptr;
  std::uint32_t nobody = module.may_nest ? module.cpu.charged() : UserTable::kInternal;
  module.attribution.called(command, in_script, caller, nobody);
}

// The user to whom what happens inside the command that runs belongs; `id`: the client of that inner command.
std::uint32_t user_behind(Module& module, std::uint64_t id) {
  bool of_a_call = module.in_call && id == module.call_id && id != module.last_id;
  if (const Client* client = of_a_call ? nullptr : module.clients.find(id)) return Attribution::row_of(*client);
  if (api.GetContextFlags(nullptr) & server_api::kFlagLua) return module.attribution.script().row();
  return module.may_nest && module.last_client ? module.last_client->user : UserTable::kInternal;
}

// When the filter has done with a command, and not before: until then the server may be asked.
struct AtEnd {
  Module& module;
  const CommandEntry* command;
  bool by_script = false;
  ~AtEnd() {
    if (!command) return;
    if (command->special & (CommandEntry::kScript | CommandEntry::kOfModule)) module.stack.may_hold();
    if (by_script && command->special & CommandEntry::kOfModule) module.stack.begin_script_call();
  }
};

[[gnu::noinline]] void filter_nested(Module& module, server_api::FilterContext* context, std::uint64_t id) {
  module.in_call = true;
  module.stack.reach(reinterpret_cast<std::uintptr_t>(context));
  module.call_id = id;
  module.called_with_last_id |= id == module.last_id;
  server_api::String* name = api.CommandFilterArgGet(context, 0);
  const CommandEntry* command = resolved(module, context, name, module.commands.find(view(name)));
  if (!command || !command->accepts(api.CommandFilterArgsCount(context))) return;
  AtEnd end{module, command, is_by_script_itself(module)};
  if (command->special & CommandEntry::kAcl) note_acl_change(module, context, *command, 0, false);
  count_nested(module, *command);
  if (module.lookups.due())
    sample_lookups(module, end.by_script ? module.attribution.script().client : nullptr, context, *command);
}

// What the command before this one left to do.
void catch_up(Module& module, Client& client, server_api::FilterContext* context) {
  module.stack.reach(reinterpret_cast<std::uintptr_t>(context));
  module.in_call = false;
  module.behind.exchange(false, std::memory_order_acquire);  // first: it may become true again at any time
  if (module.identity.asks_again()) module.identity.be_right(Identity::Of::kMarked, true, &client);
  if (client.is(Client::kAwaited)) module.identity.begin_command(client);
  if (!std::exchange(module.nesting_confirmed, true)) server_api::confirm_nesting();
  module.cpu.end_command();
  if (module.cpu.maybe_slow()) note_if_slow(module);
}

// What is not a plain command outside of a transaction. `command`: what the table has of its name.
[[gnu::noinline]] void filter_special(Module& module, Client& client, server_api::FilterContext* context,
                                      const CommandEntry* command) {
  module.stack.reach(reinterpret_cast<std::uintptr_t>(context));
  if (client.is(Client::kImport)) module.cpu.charge_to(UserTable::kInternal);
  Attribution::Sent sent{.command = resolved(module, context, api.CommandFilterArgGet(context, 0), command),
                         .arguments = api.CommandFilterArgsCount(context)};
  module.last_command = sent.command;
  AtEnd end{module, sent.command};
  if (module.acl_changes.any_told()) module.acl_changes.begins(client.id);
  module.slow_log.sent.reset();
  if (sent.command && sent.command->special & CommandEntry::kConfigSet && !client.is(Client::kInMulti))
    note_config_set(module, context);
  sent.lets_in = !client.is(Client::kAnonymous) || module.identity.default_is_open();
  sent.multi_refused = module.attribution.may_be_refused(client) && multi_refused(module, client);
  sent.in_script = sent.command && sent.command->special & CommandEntry::kScript &&
                   api.GetContextFlags(nullptr) & server_api::kFlagLua;
  unsigned effects = module.attribution.sent(client, sent);
  if (effects & Attribution::kBeginsScript) module.stack.begin_script();
  perform(module, client, effects, context, sent.command);
  module.attribution.count(client, effects);
  if ((effects & Attribution::kCountsNow || (sent.command && client.is(Client::kInMulti))) && module.lookups.due())
    sample_lookups(module, &client, context, *sent.command);
}

// A client's command begins. Returns its name.
[[gnu::always_inline]] inline std::string_view begin(Module& module, std::uint64_t id, Client& client,
                                                     server_api::FilterContext* context) {
  module.last_id = id;
  module.last_client = &client;
  module.cpu.begin(client.user);
  module.may_nest = module.in_call = module.called_with_last_id = module.exec_elsewhere = false;
  return view(api.CommandFilterArgGet(context, 0));
}

// Its user has run none of so high a number yet.
[[gnu::noinline]] void count_first(User& user, const CommandEntry& command) {
  user.count(command.number, command.kind);
}

// Whether its key is found, too.
[[gnu::noinline]] void count_and_look(Module& module, Client& client, server_api::FilterContext* context,
                                      const CommandEntry& command) {
  module.users[client.user].count(command.number, command.kind);
  module.stack.reach(reinterpret_cast<std::uintptr_t>(context));
  sample_lookups(module, &client, context, command);
}

// Should it be refused, on_rejected takes it back.
[[gnu::always_inline]] inline void count(Module& module, Client& client, server_api::FilterContext* context,
                                         const CommandEntry& command) {
  module.last_command = &command;
  client.last = static_cast<std::uint16_t>(command.number);
  if (module.lookups.due()) [[unlikely]]
    return count_and_look(module, client, context, command);
  User& user = module.users[client.user];
  if (!user.has_room(command.number)) [[unlikely]]
    return count_first(user, command);
  user.count_in_room(command.number, command.kind, 1);
}

bool accepts(const Module& module, server_api::FilterContext* context, const CommandEntry& command) {
  return module.tells_refusals || command.accepts(api.CommandFilterArgsCount(context));
}

[[gnu::noinline]] void filter_named(Module& module, Client& client, server_api::FilterContext* context,
                                    std::string_view name) {
  const CommandEntry* command = module.commands.find(name);
  if (!command || command->special || client.is(Client::kApart) || !accepts(module, context, *command))
    return filter_special(module, client, context, command);
  client.clear(Client::kRanQueued);
  client.set(Client::kCounted);
  count(module, client, context, *command);
}

// Whatever it is that a client has sent. `client`: null where it is not known yet.
[[gnu::noinline]] void filter_any(Module& module, Client* client, server_api::FilterContext* context,
                                  std::uint64_t id) {
  if (!client) client = module.identity.adopt(id);
  if (!client) return filter_nested(module, context, id);
  if (module.behind.load(std::memory_order_relaxed) || client->is(Client::kAwaited)) catch_up(module, *client, context);
  filter_named(module, *client, context, begin(module, id, *client, context));
}

// The hot path: no allocation, no lock, no system call; some 10 ns. It knows plain commands of plain clients only, and
// is written so that the compiler keeps little over a call: benchmarks/instructions counts.
[[gnu::always_inline]] inline void filter(Module& module, server_api::FilterContext* context) {
  std::uint64_t id = api.CommandFilterGetClientId(context);
  Client* client = module.last_client;
  if (id != module.last_id) {
    client = module.clients.find(id);
    if (!client) [[unlikely]]
      return filter_any(module, nullptr, context, id);
  }
  if (module.behind.load(std::memory_order_relaxed) || !client->is_plain()) [[unlikely]]
    return filter_any(module, client, context, id);
  std::string_view name = begin(module, id, *client, context);
  const CommandEntry* command = module.commands.find_plain(name);
  if (!command) return filter_named(module, *client, context, name);
  if (!accepts(module, context, *command)) return filter_special(module, *client, context, command);
  count(module, *client, context, *command);
}

}  // namespace

bool is_by_script_itself(const Module& module) {
  bool script = api.GetContextFlags(nullptr) & server_api::kFlagLua;
  return script && !module.attribution.script().by_module && !module.stack.is_within_script_call();
}

void on_command(server_api::FilterContext* context) noexcept {
  try {
    if (server_api::in_call_by_module())
      filter_nested(*module_state, context, api.CommandFilterGetClientId(context));
    else
      filter(*module_state, context);
  } catch (...) {  // out of memory while a new user gets its row: this command is not counted
    module_state->lost_queued = true;
  }
}

void settle_watched_exec(Module& module) {
  if (!module.watched_exec.client) return;
  WatchedExec exec = std::exchange(module.watched_exec, {});
  if (api.GetContextFlags(nullptr) & server_api::kFlagMulti) return;  // it runs
  Client* client = module.clients.find(exec.client);
  if (!client || !client->is(Client::kRanQueued)) return;  // it was refused, and taken back
  std::optional<std::uint64_t> processed = module.ask.statistic(kProcessed);
  if (!processed || !exec.processed) return;
  std::uint64_t others = *processed - *exec.processed - 1;
  bool waits = others == 0;  // CLIENT PAUSE
  if (others == 1 || (waits && module.identity.has_mark(*client, 'd'))) module.attribution.queued_never_ran(*client);
}

void forget_transaction(Module& module, Client& client) {
  module.attribution.gone(client);
  module.acl_changes.forget(client.id);
  settle_queued_lookups(module, client, false);
}

void note_if_slow(Module& module) {
  std::uint64_t nanoseconds = module.cpu.note_slow();
  std::uint32_t row = module.cpu.charged();
  if (nanoseconds < kSlowNanoseconds || row == UserTable::kInternal || !module.last_command) return;
  User& user = module.users[row];
  ++user.of(Counter::kSlow);
  if (!user.slow_log) user.slow_log = std::make_unique<SlowLog>();
  SlowCommand& slow = user.slow_log->commands[user.slow_log->written++ % SlowLog::kKept];
  slow = {.cpu_usec = nanoseconds / 1000, .unix_msec = api.Milliseconds()};
  module.commands.name(*module.last_command).copy(slow.name, sizeof slow.name - 1);
}

// Only 9.1+: commands that ran and replied an error. (The event of those that did well is not for us: whoever listens
// to it changes how they are propagated.)
void on_failed(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept {
  Module& module = *module_state;
  std::uint32_t user = user_behind(module, static_cast<server_api::CommandResultInfo*>(data)->client_id);
  ++module.users[user].of(Counter::kErrors);
}

// Only 9.1+. It follows the filter at once, before anything else can run, unless the command had to wait (CLIENT
// PAUSE).
void on_rejected(server_api::Context*, server_api::Event event, std::uint64_t subevent, void* data) noexcept {
  Module& module = *module_state;
  std::uint64_t id = static_cast<server_api::CommandResultInfo*>(data)->client_id;
  Client* client = id == module.last_id ? module.last_client : module.clients.find(id);
  if (!client) return;
  User& user = module.users[Attribution::row_of(*client)];
  if (event.id == server_api::kEventCommandAclRejected && subevent < kDenials)
    ++user.of(Counter::kDenied, subevent);
  else
    ++user.of(Counter::kRejected);
  perform(module, *client, module.attribution.refused(*client));
  bool told = module.acl_changes.any_told() &&
              special_of(module.commands.counted(client->last).name) & CommandEntry::kAcl;  // not so within EXEC
  if (told) module.acl_changes.rejected(id);
  if (id != module.last_id) return;
  module.lookups.refused(module.cpu.sequence());
  module.shared_use.refused(module.cpu.sequence());
  module.exec_elsewhere = false;
}

}  // namespace tenants
