#include "module/hooks/identity.h"

#include <cerrno>
#include <utility>

#include "module/accounting/server_text.h"
#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;

namespace {

bool has_flag(server_api::CallReply* flags, std::string_view name) {
  for (std::size_t i = 0; i < api.CallReplyLength(flags); ++i)
    if (server_api::text(api.CallReplyArrayElement(flags, i)) == name) return true;
  return false;
}

}  // namespace

Identity::Identity(Module& module) : module_(module) {
  marked_.reserve(64);
  auto moved = [](void* keeper, const Client* from, Client* to) {
    auto& of = *static_cast<Module*>(keeper);
    if (of.last_client == from) of.last_client = to;
    of.attribution.moved(from, to);
  };
  module.clients.tell_moves(moved, &module);
}

void Identity::ask_again(Client& client) {
  if (client.is(Client::kPending)) return;
  client.set(Client::kPending);
  marked_.push_back(client.id);
  module_.behind.store(true, std::memory_order_relaxed);
}

void Identity::module_went() {
  a_module_went_ = true;
  module_.clients.for_each([](Client& client) {
    client.set(Client::kUnlisted);
    client.clear(Client::kRanSince);
  });
}

void Identity::be_right(Of whom, bool done, const Client* next) {
  settle_watched_exec(module_);
  module_.acl.take_notice(done);
  if (whom == Of::kEverybody) {
    if (std::exchange(all_, false)) module_.clients.for_each([&](Client& client) { ask_again(client); });
    // The last command of a link that has come again may have gone with its module.
    if (std::exchange(links_, false) && !a_module_went_)
      adopt_all(server_api::text(module_.ask.links_to_primaries().get()));
  }
  for (std::uint64_t id : marked_) {
    Client* client = module_.clients.find(id);
    if (!client) continue;
    ask(*client);
    if (!done) continue;
    module_.attribution.count_rest(*client, true);
    client->clear(Client::kPending);
    if (client == next)
      client->clear(Client::kRecheck);
    else
      client->set(Client::kRecheck);
    settle_marks(*client);
  }
  if (done) marked_.clear();
}

void Identity::begin_command(Client& client) {
  // The server names the command before this one, until this one begins. Within another command it may have to wait,
  // and come once more.
  if (client.is(Client::kUnlisted) && !module_.stack.is_within_command()) {
    if (client.is(Client::kRanSince))
      client.clear(Client::kUnlisted | Client::kRanSince);
    else
      client.set(Client::kRanSince);
  }
  if (!client.is(Client::kRecheck)) return;
  client.clear(Client::kRecheck);
  ask(client);
  settle_marks(client);
}

void Identity::logged_in(Client& client) {
  ask_again(client);
  if (client.uncounted >= client.queued.end()) return;
  ask(client);
  module_.attribution.count_rest(client, false);
}

Client* Identity::adopt(std::uint64_t id) {
  std::uint64_t& nobody = nobodys_[id % nobodys_.size()];
  if (nobody == id) return nullptr;
  std::optional<std::uint32_t> user = user_of(id);
  if (!user) {
    nobody = id;
    return nullptr;
  }
  Client& client = module_.clients.insert(id);
  client.user = *user;
  module_.users[*user].connected();
  return &client;
}

void Identity::adopt_existing() { adopt_all(server_api::text(module_.ask.clients().get())); }

void Identity::left(Client& client) {
  if (client.is(Client::kPending)) ask(client);
  module_.attribution.count_rest(client, true);
  end_monitor(client);
  no_touch_.erase(client.id);
}

std::optional<server_api::ClientInfo> Identity::ask_for(const Client& client) const {
  if (module_.server.valkey_at_least(9, 0)) {
    bool script = api.GetContextFlags(nullptr) & server_api::kFlagLua;
    bool own = module_.in_call && &client == module_.attribution.script().client && is_by_script_itself(module_);
    if (!own && (module_.in_call || script || module_.stack.is_within_command())) return std::nullopt;
  }
  server_api::ClientInfo info{.version = 1};
  if (api.GetClientInfoById(&info, client.id) != server_api::kOk) return std::nullopt;
  return info;
}

std::optional<bool> Identity::is_blocked(const Client& client) const {
  std::optional<server_api::ClientInfo> info = ask_for(client);
  return info ? std::optional(bool(info->flags & server_api::kClientBlocked)) : std::nullopt;
}

bool Identity::has_mark(const Client& client, char letter) const {
  if (client.is(Client::kUnlisted)) return false;
  server_api::Reply reply = module_.ask.client(client.id);
  return ClientLine(server_api::text(reply.get())).has_flag(letter);
}

bool Identity::default_is_open() {
  if (default_is_open_) return *default_is_open_;
  server_api::Reply reply = module_.ask.user("default");
  if (!server_api::is(reply.get(), server_api::kReplyArray)) return true;  // unknown: everything counts
  server_api::CallReply* flags = api.CallReplyArrayElement(reply.get(), 1);
  default_is_open_ = has_flag(flags, "on") && has_flag(flags, "nopass");
  return *default_is_open_;
}

// From 9.1 on the server tells of every command that it refuses.
void Identity::mark_anonymous(Client& client) {
  if (!module_.tells_refusals && !default_is_open()) client.set(Client::kAnonymous);
}

void Identity::end_monitor(Client& client) {
  if (!client.is(Client::kMonitor)) return;
  client.clear(Client::kMonitor);
  --monitors_;
}

void Identity::uses_no_touch(const Client& client) {
  if (!module_.server.valkey_at_least(9, 1)) no_touch_.insert(client.id);
}

// The row of the client's user as the server knows it now; nothing where `id` is no client.
std::optional<std::uint32_t> Identity::user_of(std::uint64_t id) const {
  errno = 0;
  server_api::OwnedString name(api.GetClientUserNameById(module_.context.get(), id));
  if (!name) return errno == ENOTSUP ? std::optional(UserTable::kInternal) : std::nullopt;
  return module_.row_for(server_api::view(name.get()));
}

void Identity::ask(Client& client) {
  std::optional<std::uint32_t> user = user_of(client.id);
  if (user && module_.attribution.user_is(client, *user) && *user != module_.users.find("default"))
    client.clear(Client::kAnonymous);
}

void Identity::adopt_all(std::string_view list) {
  for_each_client(list, [&](const ClientLine& line) {
    std::optional<std::uint64_t> id = line.number("id");
    if (!id || module_.clients.find(*id)) return;
    Client* client = adopt(*id);
    if (!client) return;
    // Not of the client whose EXEC runs, which may run this very command.
    if (line.has_flag('x') && line.value("cmd") != "exec") client->set(Client::kInMulti);
    if (line.number("watch").value_or(0)) client->set(Client::kWatching);
    if (line.has_flag('T')) uses_no_touch(*client);
    module_.bytes.begin(*client, line);
  });
}

// MONITOR, or the command of another node, may have been refused. Where that cannot be asked now, it is at the client's
// next command.
void Identity::settle_marks(Client& client) {
  if (!client.is(Client::kMonitor | Client::kImport)) return;
  if (client.is(Client::kUnlisted)) {
    client.set(Client::kRecheck);
    return;
  }
  server_api::Reply reply = module_.ask.client(client.id);
  ClientLine line(server_api::text(reply.get()));
  if (line.value("flags").empty() || line.has_flag('b')) {  // blocked: CLIENT PAUSE
    client.set(Client::kRecheck);
    return;
  }
  if (!line.has_flag('O')) end_monitor(client);
  if (!line.has_flag('i')) client.clear(Client::kImport);
}

}  // namespace tenants
