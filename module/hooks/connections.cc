// Whose connection is it? The client table, filled by connect events and on first sight, dropped on disconnect.
#include <cerrno>
#include <charconv>

#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;

namespace {

// The row of the client's user as the server knows it now; nothing where `id` is no client.
std::optional<std::uint32_t> user_of(Module& module, std::uint64_t id) {
  errno = 0;
  server_api::String* name = api.GetClientUserNameById(module.context.get(), id);
  if (!name) return errno == ENOTSUP ? std::optional(UserTable::kInternal) : std::nullopt;
  std::uint32_t row = module.users.row_of(server_api::view(name));
  api.FreeString(module.context.get(), name);
  return row;
}

Client& enter(Module& module, std::uint64_t id, std::uint32_t user) {
  Client& client = module.clients.insert(id);
  client.user = user;
  ++module.users[user].connections;
  ++module.users[user].connections_total;
  return client;
}

void refresh(Module& module, Client& client) {
  std::optional<std::uint32_t> user = user_of(module, client.id);
  if (!user || *user == client.user) return;
  if (module.users[client.user].connections > 0) --module.users[client.user].connections;
  client.user = *user;
  ++module.users[*user].connections;
  ++module.users[*user].connections_total;
}

void authenticated(Module& module, Client& client) {
  mark_pending(module, client);
  if (module.split.client != client.id) return;
  refresh(module, client);
  count_rest_of_exec(module, client, false);
}

}  // namespace

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

void settle_users(Module& module, bool done) {
  for (std::uint64_t id : module.pending) {
    Client* client = module.clients.find(id);
    if (!client) continue;
    refresh(module, *client);
    if (!done) continue;
    count_rest_of_exec(module, *client, true);
    client->clear(Client::kPending);
    client->set(Client::kRecheck);
  }
  if (done) module.pending.clear();
}

void recheck(Module& module, Client& client) {
  client.clear(Client::kRecheck);
  refresh(module, client);
}

void settle_all(Module& module) {
  if (module.all_pending) {
    module.all_pending = false;
    module.clients.for_each([&](Client& client) { mark_pending(module, client); });
  }
  if (module.links_changed) {
    module.links_changed = false;
    read_existing_clients(module);
  }
  settle_users(module, false);
}

void forget_monitor(Module& module, Client& client) {
  if (!client.is(Client::kMonitor)) return;
  client.clear(Client::kMonitor);
  --module.monitors;
}

void read_existing_clients(Module& module) {
  server_api::Reply reply(api.Call(module.context.get(), "CLIENT", "c", "LIST"));
  std::string_view list = server_api::text(reply.get());
  while (!list.empty()) {
    std::string_view line = list.substr(0, list.find('\n'));
    list.remove_prefix(std::min(line.size() + 1, list.size()));
    std::uint64_t id = 0;
    if (!line.starts_with("id=")) continue;
    std::from_chars(line.data() + 3, line.data() + line.size(), id);
    if (id && !module.clients.find(id)) adopt_client(module, id);
  }
}

void on_client_change(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept {
  Module& module = *module_state;
  auto* info = static_cast<server_api::ClientInfo*>(data);
  std::uint64_t id = info->id;
  try {
    Client* client = module.clients.find(id);
    if (subevent == server_api::kClientConnected) {
      if (!client) adopt_client(module, id);
      return;
    }
    if (!client) return;  // a disconnect without a connect is normal: refused connections, the link to a primary
    if (info->flags & server_api::kClientBlocked) take_back_blocked(module, *client);
    if (client->is(Client::kPending)) refresh(module, *client);
    count_rest_of_exec(module, *client, true);
    forget_transaction(module, *client);
    forget_monitor(module, *client);
    if (module.users[client->user].connections > 0) --module.users[client->user].connections;
    if (module.last_id == id) module.last_id = 0, module.last_client = nullptr, module.charge = {};
    module.clients.erase(id);
  } catch (...) {  // out of memory: adopted on its first command
  }
}

// The event says that an attempt was made, not who the client is now: ask.
void on_authentication(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept {
  Module& module = *module_state;
  try {
    if (Client* client = module.clients.find(static_cast<server_api::AuthenticationInfo*>(data)->client_id))
      authenticated(module, *client);
  } catch (...) {
  }
}

// A link to a primary comes up without a connect event, and only on its first command would it be seen.
void on_link_change(server_api::Context*, server_api::Event, std::uint64_t, void*) noexcept {
  module_state->links_changed = true;
}

}  // namespace tenants
