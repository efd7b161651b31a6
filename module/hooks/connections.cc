// Whose connection is it? The client table, filled by connect events and on first sight, dropped on disconnect.
#include <cerrno>

#include "module/accounting/server_text.h"
#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;

namespace {

// The row of the client's user as the server knows it now; nothing where `id` is no client.
std::optional<std::uint32_t> user_of(Module& module, std::uint64_t id) {
  errno = 0;
  server_api::OwnedString name(api.GetClientUserNameById(module.context.get(), id));
  if (!name) return errno == ENOTSUP ? std::optional(UserTable::kInternal) : std::nullopt;
  return module.row_for(server_api::view(name.get()));
}

Client& enter(Module& module, std::uint64_t id, std::uint32_t user) {
  Client& client = module.clients.insert(id);
  client.user = user;
  if (!module.nesting_confirmed) client.set(Client::kRecheck);  // its first command tells
  module.users[user].connected();
  return client;
}

void refresh(Module& module, Client& client) {
  std::optional<std::uint32_t> user = user_of(module, client.id);
  if (user && module.attribution.user_is(client, *user) && *user != module.users.find("default"))
    client.clear(Client::kAnonymous);
}

bool has_flag(server_api::CallReply* flags, std::string_view name) {
  for (std::size_t i = 0; i < api.CallReplyLength(flags); ++i)
    if (server_api::text(api.CallReplyArrayElement(flags, i)) == name) return true;
  return false;
}

void adopt_clients(Module& module, const server_api::Reply& list) {
  for_each_client(server_api::text(list.get()), [&](const ClientLine& line) {
    std::optional<std::uint64_t> id = line.number("id");
    if (!id || module.clients.find(*id)) return;
    Client* client = adopt_client(module, *id);
    if (!client) return;
    // Not of the client whose EXEC runs, which may run this very command.
    if (line.has_flag('x') && line.value("cmd") != "exec") client->set(Client::kInMulti);
    if (line.number("watch").value_or(0)) client->set(Client::kWatching);
    if (line.has_flag('T')) note_no_touch(module, *client);
    module.bytes.begin(*client, line);
  });
}

// MONITOR, or the command of another node, may have been refused. Where that cannot be asked now, it is at the client's
// next command.
void settle_marks(Module& module, Client& client) {
  if (!client.is(Client::kMonitor | Client::kImport)) return;
  if (client.is(Client::kUnlisted)) {
    client.set(Client::kRecheck);
    return;
  }
  server_api::Reply reply = module.ask.client(client.id);
  ClientLine line(server_api::text(reply.get()));
  if (line.value("flags").empty() || line.has_flag('b')) {  // blocked: CLIENT PAUSE
    client.set(Client::kRecheck);
    return;
  }
  if (!line.has_flag('O')) forget_monitor(module, client);
  if (!line.has_flag('i')) client.clear(Client::kImport);
}

void authenticated(Module& module, Client& client) {
  mark_pending(module, client);
  if (client.uncounted >= client.queued.end()) return;
  refresh(module, client);
  module.attribution.count_rest(client, false);
}

}  // namespace

std::uint32_t Module::row_for(std::string_view name) {
  if (std::uint32_t row = users.find(name)) return row;
  if (users.has_room() || name.size() > UserTable::kLongestName) return users.add(name);
  std::uint32_t row = users.next_gone();
  if (!row) return users.add(name);
  users.reuse(row, name, cpu.nanoseconds(row));
  if (cpu.charged() == row) cpu.charge_to(UserTable::kOther);
  attribution.give_up_row(row);
  return row;
}

std::optional<server_api::ClientInfo> ask_for(Module& module, const Client& client) {
  if (module.server.valkey_at_least(9, 0)) {
    bool script = api.GetContextFlags(nullptr) & server_api::kFlagLua;
    bool own = module.in_call && &client == module.attribution.script().client && is_by_script_itself(module);
    if (!own && (module.in_call || script || module.stack.is_within_command())) return std::nullopt;
  }
  server_api::ClientInfo info{.version = 1};
  if (api.GetClientInfoById(&info, client.id) != server_api::kOk) return std::nullopt;
  return info;
}

std::optional<bool> is_blocked(Module& module, const Client& client) {
  std::optional<server_api::ClientInfo> info = ask_for(module, client);
  return info ? std::optional(bool(info->flags & server_api::kClientBlocked)) : std::nullopt;
}

Client* adopt_client(Module& module, std::uint64_t id) {
  std::uint64_t& nested = module.nested_ids[id % module.nested_ids.size()];
  if (nested == id) return nullptr;
  if (std::optional<std::uint32_t> user = user_of(module, id)) return &enter(module, id, *user);
  nested = id;
  return nullptr;
}

void mark_pending(Module& module, Client& client) {
  if (client.is(Client::kPending)) return;
  client.set(Client::kPending);
  module.pending.push_back(client.id);
}

void settle_users(Module& module, bool done, const Client* next) {
  settle_watched_exec(module);
  note_acl_changes(module, done);
  for (std::uint64_t id : module.pending) {
    Client* client = module.clients.find(id);
    if (!client) continue;
    refresh(module, *client);
    if (!done) continue;
    module.attribution.count_rest(*client, true);
    client->clear(Client::kPending);
    if (client == next)
      client->clear(Client::kRecheck);
    else
      client->set(Client::kRecheck);
    settle_marks(module, *client);
  }
  if (done) module.pending.clear();
}

void recheck(Module& module, Client& client) {
  // The server names the command before this one, until this one begins. Within another command it may have to wait,
  // and come once more.
  if (client.is(Client::kUnlisted) && !module.stack.is_within_command()) {
    if (client.is(Client::kRanSince))
      client.clear(Client::kUnlisted | Client::kRanSince);
    else
      client.set(Client::kRanSince);
  }
  if (!client.is(Client::kRecheck)) return;
  client.clear(Client::kRecheck);
  refresh(module, client);
  settle_marks(module, client);
}

bool has_mark(Module& module, const Client& client, char letter) {
  if (client.is(Client::kUnlisted)) return false;
  server_api::Reply reply = module.ask.client(client.id);
  return ClientLine(server_api::text(reply.get())).has_flag(letter);
}

std::uint32_t list_some(Module& module, std::uint32_t place, std::uint32_t count,
                        const std::function<void(Client&, const ClientLine&)>& visit) {
  std::vector<server_api::OwnedString> ids;
  ids.reserve(count);
  place = module.clients.visit_some(place, count, [&](const Client& client) {
    if (client.is(Client::kUnlisted)) return;
    std::string text = std::to_string(client.id);
    ids.emplace_back(api.CreateString(nullptr, text.data(), text.size()));
  });
  if (ids.empty()) return place;
  server_api::Reply reply = module.ask.clients(ids);
  for_each_client(server_api::text(reply.get()), [&](const ClientLine& line) {
    std::optional<std::uint64_t> id = line.number("id");
    if (Client* client = id ? module.clients.find(*id) : nullptr) visit(*client, line);
  });
  return place;
}

bool default_is_open(Module& module) {
  if (module.default_is_open) return *module.default_is_open;
  server_api::Reply reply = module.ask.user("default");
  if (!server_api::is(reply.get(), server_api::kReplyArray)) return true;  // unknown: everything counts
  server_api::CallReply* flags = api.CallReplyArrayElement(reply.get(), 1);
  module.default_is_open = has_flag(flags, "on") && has_flag(flags, "nopass");
  return *module.default_is_open;
}

// From 9.1 on the server tells of every command that it refuses.
void mark_anonymous(Module& module, Client& client) {
  if (!module.tells_refusals && !default_is_open(module)) client.set(Client::kAnonymous);
}

void read_existing_clients(Module& module) { adopt_clients(module, module.ask.clients()); }

void settle_all(Module& module, bool done) {
  note_acl_changes(module, done);
  if (module.all_pending) {
    module.all_pending = false;
    module.clients.for_each([&](Client& client) { mark_pending(module, client); });
  }
  if (module.links_changed) {
    module.links_changed = false;
    // It names the last command of a link that has come again, which may have gone with its module.
    if (!module.module_left) adopt_clients(module, module.ask.links_to_primaries());
  }
  settle_users(module, done);
}

void note_no_touch(Module& module, const Client& client) {
  if (!module.server.valkey_at_least(9, 1)) module.no_touch.insert(client.id);
}

void forget_monitor(Module& module, Client& client) {
  if (!client.is(Client::kMonitor)) return;
  client.clear(Client::kMonitor);
  --module.monitors;
}

void on_client_change(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept {
  Module& module = *module_state;
  auto* info = static_cast<server_api::ClientInfo*>(data);
  std::uint64_t id = info->id;
  try {
    settle_watched_exec(module);
    Client* client = module.clients.find(id);
    if (subevent == server_api::kClientConnected) {
      // Or both it and one that has just logged in would be default's for a moment, and its peak too high.
      if (!module.pending.empty()) settle_users(module, !module.stack.is_within_command());
      if (!client) client = adopt_client(module, id);
      if (client && client->user == module.users.find("default")) mark_anonymous(module, *client);
      return;
    }
    if (!client) return;  // a disconnect without a connect is normal: refused connections, the link to a primary
    bool waits = info->flags & server_api::kClientBlocked;
    if (waits) module.attribution.never_ran(*client);
    module.acl.gone(id, waits);
    if (client->is(Client::kPending)) refresh(module, *client);
    module.attribution.count_rest(*client, true);
    forget_transaction(module, *client);
    forget_monitor(module, *client);
    module.no_touch.erase(id);
    take_last_bytes(module, *client);
    module.users[client->user].disconnected();
    if (module.last_id == id) module.last_id = 0, module.last_client = nullptr;
    module.clients.erase(id);
  } catch (...) {  // out of memory: adopted on its first command
  }
}

// The event says that an attempt was made, not who the client is now: ask.
void on_authentication(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept {
  Module& module = *module_state;
  auto* info = static_cast<server_api::AuthenticationInfo*>(data);
  try {
    Client* client = module.clients.find(info->client_id);
    if (!client) return;
    module.attribution.login(*client, info->result == server_api::kAuthenticationGranted);
    authenticated(module, *client);
  } catch (...) {
  }
}

// A link to a primary comes up without a connect event, and only on its first command would it be seen.
void on_link_change(server_api::Context*, server_api::Event, std::uint64_t, void*) noexcept {
  module_state->links_changed = true;
}

}  // namespace tenants
