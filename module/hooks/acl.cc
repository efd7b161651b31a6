// Reads the ACL through ACL USERS and ACL GETUSER, a few users at a time, and says who holds which key patterns.
// Passwords are in the reply's field "passwords", which is never looked at.
#include <algorithm>

#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;
using server_api::CallReply;

namespace {

constexpr std::uint64_t kRefusedUsec = 1'000'000;  // before the server is asked again

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

void take_in(Module& module, std::uint32_t row, const UserKeys& keys) {
  bool moved = module.owners.set(row, keys, [&] { return module.keyspace.vacate_orphan(); });
  if (!moved) return;
  module.sweep.as_of.reset();
  // Where a pass counts the keys, none may have been counted before.
  if (module.keyspace.total() > 0 || module.keyspace.wants_seeding()) module.keyspace.request_seeding(false);
}

// It is not in the ACL any more: its row may be another user's after a while.
void leave(Module& module, std::uint32_t row) {
  take_in(module, row, {});
  User& user = module.users[row];
  user.in_acl = false;
  if (!user.gone_usec) user.gone_usec = monotonic_usec();
}

void read_user(Module& module, const std::string& name) {
  server_api::Reply reply(api.Call(module.context.get(), "ACL", "cb", "GETUSER", name.data(), name.size()));
  if (server_api::is(reply.get(), server_api::kReplyNull)) {
    if (std::uint32_t row = module.users.find(name)) leave(module, row), module.users.find_gone();
    return;
  }
  module.acl.readable = server_api::is(reply.get(), server_api::kReplyArray);
  if (!module.acl.readable) return;
  std::uint32_t row = module.row_for(name);
  User& user = module.users[row];
  user.in_acl = true;
  user.acl_reading = module.acl.number;
  user.gone_usec = 0;  // not to be reused
  UserKeys keys;
  read_rules(keys, reply.get());
  take_in(module, row, keys);
  if (!module.tells_refusals)  // it may begin transactions now, or not any more
    module.clients.for_each([&](Client& client) {
      if (client.user == row) client.clear(Client::kMayMulti);
    });
}

void begin_all(Module& module) {
  AclReading& acl = module.acl;
  acl.next = 0;
  acl.names.clear();
  server_api::Reply reply(api.Call(module.context.get(), "ACL", "c", "USERS"));
  acl.readable = server_api::is(reply.get(), server_api::kReplyArray);
  if (!acl.readable) return;
  for (std::size_t i = 0; i < api.CallReplyLength(reply.get()); ++i)
    acl.names.emplace_back(server_api::text(api.CallReplyArrayElement(reply.get(), i)));
  ++acl.number;
  module.owners.begin_all();
  acl.all_wanted = false;
  acl.all_running = true;
}

// Users whom nobody named have gone.
void finish_all(Module& module) {
  AclReading& acl = module.acl;
  for (std::uint32_t row = UserTable::kFirst; row < module.users.end(); ++row) {
    User& user = module.users[row];
    if (user.acl_reading == acl.number) continue;
    if (user.in_acl || !user.gone_usec) leave(module, row);
  }
  module.users.find_gone();
  if (module.owners.forget_others()) module.keyspace.request_seeding(false);
  acl.names.clear();
  acl.all_running = false;
}

// One user, or what comes before and after the reading of all.
void step(Module& module) {
  AclReading& acl = module.acl;
  if (!acl.changed.empty()) {
    read_user(module, acl.changed.back());
    if (acl.readable) acl.changed.pop_back();  // after it was taken in: where memory ran out, once more
  } else if (!acl.all_running) {
    begin_all(module);
  } else if (acl.next < acl.names.size()) {
    read_user(module, acl.names[acl.next]);
    acl.next += acl.readable;
  } else {
    finish_all(module);
  }
}

}  // namespace

void AclReading::change(std::string_view user) {
  if (std::ranges::find(changed, user) != changed.end()) return;
  if (changed.size() < kMostChanged) {
    changed.emplace_back(user);
    return;
  }
  changed.clear();
  all_wanted = true;
}

void AclReading::queue(std::uint64_t client, std::string_view user) {
  if (queued.size() >= kMostChanged) user = {};
  for (const Queued& other : queued)
    if (other.client == client && (other.user == user || other.user.empty())) return;
  queued.push_back({client, std::string(user)});
}

bool AclReading::exec_runs(std::uint64_t client) {
  bool any = client == all_queued;
  all_wanted |= any;
  for (const Queued& each : queued) {
    if (each.client != client) continue;
    any = true;
    try {
      if (!each.user.empty()) change(each.user);
    } catch (...) {  // out of memory: which user it is was lost
      all_wanted = true;
    }
    all_wanted |= each.user.empty();
  }
  forget(client);
  return any;
}

void AclReading::forget(std::uint64_t client) {
  if (all_queued == client) all_queued = 0;
  std::erase_if(queued, [&](const Queued& each) { return each.client == client; });
}

bool read_acl(Module& module, std::uint64_t usec) {
  AclReading& acl = module.acl;
  std::uint64_t start = monotonic_usec();
  try {
    while (acl.wanted()) {
      step(module);
      std::uint64_t now = monotonic_usec();
      if (!acl.readable) acl.next_usec = now + kRefusedUsec;
      if (!acl.readable || now - start >= usec) break;
    }
  } catch (...) {  // out of memory: a user was taken in by half, and is read again. Keys may belong elsewhere by now
    module.keyspace.request_seeding(false);
    throw;
  }
  return !acl.wanted();
}

}  // namespace tenants
