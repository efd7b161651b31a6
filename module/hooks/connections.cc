// Connections that come, go, log in.
#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;

std::uint32_t Module::row_for(std::string_view name) {
  if (std::uint32_t row = users.find(name)) return row;
  if (users.has_room() || name.size() > UserTable::kLongestName) return users.add(name);
  std::uint32_t row = users.next_gone();
  if (!row) return users.add(name);
  users.reuse(row, name, cpu.nanoseconds(row));
  cpu.give_up(row, UserTable::kOther);
  attribution.give_up_row(row);
  return row;
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

void on_client_change(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept {
  Module& module = *module_state;
  Identity& identity = module.identity;
  auto* info = static_cast<server_api::ClientInfo*>(data);
  std::uint64_t id = info->id;
  try {
    settle_watched_exec(module);
    Client* client = module.clients.find(id);
    if (subevent == server_api::kClientConnected) {
      // Or both it and one that has just logged in would be default's for a moment, and its peak too high.
      if (identity.asks_again()) identity.be_right(Identity::Of::kMarked, !module.stack.is_within_command());
      if (!client) client = identity.adopt(id);
      if (client && client->user == module.users.find("default")) identity.mark_anonymous(*client);
      return;
    }
    if (!client) return;  // a disconnect without a connect is normal: refused connections, the link to a primary
    bool waits = info->flags & server_api::kClientBlocked;
    if (waits) module.attribution.never_ran(*client);
    module.acl_changes.gone(id, waits);
    identity.left(*client);
    forget_transaction(module, *client);
    take_last_bytes(module, *client);
    module.users[client->user].disconnected();
    if (module.last_id == id) module.last_id = Client::kNoId, module.last_client = nullptr;
    module.bytes.forget(*client);
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
    module.identity.logged_in(*client);
  } catch (...) {
  }
}

void on_link_change(server_api::Context*, server_api::Event, std::uint64_t, void*) noexcept {
  module_state->identity.ask_for_links();
}

}  // namespace tenants
