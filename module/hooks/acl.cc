// Reads the ACL through ACL USERS and ACL GETUSER, a few users at a time, and hands the heads of the key patterns to
// the prefixes. Passwords are in the reply's field "passwords", which is never looked at.
#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;
using server_api::CallReply;

namespace {

// A flat array of names and values, as RESP2 has it.
void read_rules(UserKeys& user, CallReply* rules) {
  if (!server_api::is(rules, server_api::kReplyArray)) return;
  for (std::size_t i = 0; i + 1 < api.CallReplyLength(rules); i += 2) {
    std::string_view field = server_api::text(api.CallReplyArrayElement(rules, i));
    CallReply* value = api.CallReplyArrayElement(rules, i + 1);
    if (field == "keys")
      for (PatternHead& head : heads_of_keys(server_api::text(value))) user.heads.push_back(std::move(head));
    if (field == "flags")
      for (std::size_t f = 0; f < api.CallReplyLength(value); ++f)
        user.enabled |= server_api::text(api.CallReplyArrayElement(value, f)) == "on";
    if (field == "selectors")
      for (std::size_t s = 0; s < api.CallReplyLength(value); ++s)
        read_rules(user, api.CallReplyArrayElement(value, s));
  }
}

void begin(Module& module) {
  AclReading& acl = module.acl;
  acl.wanted = false;
  acl.next = 0;
  acl.names.clear();
  acl.users.clear();
  server_api::Reply reply(api.Call(module.context.get(), "ACL", "c", "USERS"));
  acl.readable = server_api::is(reply.get(), server_api::kReplyArray);
  acl.running = acl.readable;
  if (!acl.readable) return;
  for (std::size_t i = 0; i < api.CallReplyLength(reply.get()); ++i)
    acl.names.emplace_back(server_api::text(api.CallReplyArrayElement(reply.get(), i)));
}

void finish(Module& module) {
  AclReading& acl = module.acl;
  acl.running = false;
  for (std::uint32_t row = UserTable::kFirst; row < module.users.end(); ++row) module.users[row].in_acl = false;
  for (const UserKeys& user : acl.users) module.users[user.user].in_acl = true;
  std::uint64_t now = monotonic_usec();
  for (std::uint32_t row = UserTable::kFirst; row < module.users.end(); ++row) {
    User& user = module.users[row];
    user.gone_usec = user.in_acl ? 0 : user.gone_usec ? user.gone_usec : now;
  }
  module.users.find_gone();
  module.clients.for_each([](Client& client) { client.clear(Client::kMayMulti); });
  bool moved = module.prefixes.set_acl(heads_with_owner(acl.users), [&] { return module.keyspace.vacate_orphan(); });
  acl.users.clear();
  // Where a pass counts the keys, none may have been counted before.
  if (moved && (module.keyspace.total() > 0 || module.keyspace.wants_seeding())) module.keyspace.request_seeding(false);
}

void read_some(Module& module, std::uint64_t usec) {
  AclReading& acl = module.acl;
  std::uint64_t start = monotonic_usec();
  if (acl.wanted) begin(module);
  while (acl.running) {
    if (acl.next == acl.names.size()) {
      finish(module);
      break;
    }
    const std::string& name = acl.names[acl.next++];
    server_api::Reply reply(api.Call(module.context.get(), "ACL", "cb", "GETUSER", name.data(), name.size()));
    // Who was deleted meanwhile is left out: the deletion asks for another reading.
    if (server_api::is(reply.get(), server_api::kReplyArray)) {
      UserKeys user{.user = module.row_for(name), .name = name};
      module.users[user.user].gone_usec = 0;  // not to be reused
      read_rules(user, reply.get());
      acl.users.push_back(std::move(user));
    }
    if (monotonic_usec() - start >= usec) break;
  }
}

}  // namespace

bool read_acl(Module& module, std::uint64_t usec) {
  AclReading& acl = module.acl;
  try {
    read_some(module, usec);
  } catch (...) {  // out of memory: what was read is not whole, and keys may belong elsewhere by now
    acl.running = false;
    acl.wanted = true;
    module.keyspace.request_seeding(false);
    throw;
  }
  return !acl.running && !acl.wanted;
}

}  // namespace tenants
