// Reads the ACL through ACL USERS and ACL GETUSER, a few users at a time, and says who holds which key patterns.
// Passwords are in the reply's field "passwords", which is never looked at.
#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <utility>

#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;
using server_api::CallReply;

namespace {

constexpr std::uint64_t kRefusedUsec = 1'000'000;  // before the server is asked again
constexpr std::uint64_t kRest = 20;                // times what a reading took, before the next one

// A flat array of names and values, as RESP2 has it; of the user, then of each selector.
void read_rules(UserKeys& user, CallReply* rules) {
  if (!server_api::is(rules, server_api::kReplyArray)) return;
  Permissions own;
  std::size_t at = user.permissions.size();
  own.first = own.end = user.patterns.size();
  user.permissions.push_back(own);  // before those of selectors
  for (std::size_t i = 0; i + 1 < api.CallReplyLength(rules); i += 2) {
    std::string_view field = server_api::text(api.CallReplyArrayElement(rules, i));
    CallReply* value = api.CallReplyArrayElement(rules, i + 1);
    std::string_view text = server_api::text(value);
    if (field == "keys") {
      for (KeyPattern& pattern : patterns_of_keys(text)) user.patterns.push_back(std::move(pattern));
      own.end = user.patterns.size();
    }
    if (field == "commands") own.commands = text;
    if (field == "databases") {  // from 9.1 on; after the keys
      own.databases = databases_of_rule(text);
      for (std::size_t p = own.first; p < own.end; ++p) {
        if (!own.databases.empty()) limit_to_databases(user.patterns[p], own.databases);
        if (text.empty()) user.patterns[p].writes = user.patterns[p].reads = false;  // after `resetdbs`: in none
      }
    }
    if (field == "flags")
      for (std::size_t f = 0; f < api.CallReplyLength(value); ++f)
        user.enabled |= server_api::text(api.CallReplyArrayElement(value, f)) == "on";
    if (field != "selectors") continue;
    for (std::size_t s = 0; s < api.CallReplyLength(value); ++s) read_rules(user, api.CallReplyArrayElement(value, s));
  }
  user.permissions[at] = std::move(own);
}

// Patterns that get room are those of users that are read again.
void read_again_who_gets_room(Module& module) {
  while (true) {
    std::uint32_t user = module.owners.gets_room();
    if (!user) return;
    if (user == UserTable::kOther)
      module.acl.all_wanted = true;
    else
      module.acl.change(module.users[user].name);
    module.owners.will_be_set();
  }
}

void take_in(Module& module, std::uint32_t row, const UserKeys& keys) {
  if (module.owners.set(row, keys, room_from_orphans(module))) keys_moved(module);
  read_again_who_gets_room(module);
}

// It is not in the ACL any more: its row may be another user's after a while.
void leave(Module& module, std::uint32_t row) {
  take_in(module, row, {});
  User& user = module.users[row];
  user.in_acl = false;
  if (!user.gone_usec) user.gone_usec = monotonic_usec();
}

// Its rules, in one call; then questions, and it is taken in when all are answered.
void begin_user(Module& module, const std::string& name) {
  server_api::Reply reply = module.ask.user(name);
  if (server_api::is(reply.get(), server_api::kReplyNull)) {
    if (std::uint32_t row = module.users.find(name)) leave(module, row), module.users.find_gone();
    return;
  }
  module.acl.readable = server_api::is(reply.get(), server_api::kReplyArray);
  if (!module.acl.readable) return;
  User& user = module.users[module.row_for(name)];
  user.in_acl = true;
  user.acl_reading = module.acl.number;
  user.gone_usec = 0;  // not to be reused
  AclReading::User read;
  read.name = name;
  read_rules(read.keys, reply.get());
  module.acl.user = std::move(read);
}

// What changes while it is asked is read afterwards.
void go_on_with_user(Module& module, AclReading::User& user) {
  auto ask = [&](int database, std::span<const std::string_view> words) {
    api.SelectDb(module.context.get(), database);  // the server says of the one that is selected
    return module.ask.may_run(user.name, words);
  };
  if (!user.questions.go_on(user.keys, module.writes, ask)) return;
  std::uint32_t row = module.row_for(user.name);
  take_in(module, row, user.keys);
  if (!module.tells_refusals)  // it may begin transactions now, or not any more
    module.clients.for_each([&](Client& client) {
      if (client.user == row) client.clear(Client::kMayMulti);
    });
  module.acl.user.reset();
}

void begin_all(Module& module) {
  AclReading& acl = module.acl;
  acl.next = 0;
  acl.names.clear();
  server_api::Reply reply = module.ask.user_names();
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
  read_again_who_gets_room(module);
  if (module.named_lack_room) use_named_prefixes(module);
  acl.names.clear();
  acl.all_running = false;
}

// One user's rules, or a question about it, or what comes before and after the reading of all. Where memory runs out it
// throws, and is to be called again.
void step(Module& module) {
  AclReading& acl = module.acl;
  if (acl.user) {
    go_on_with_user(module, *acl.user);
  } else if (!acl.changed.empty()) {
    std::string name = acl.changed.back();
    begin_user(module, name);  // where that user has gone, others may change: they get its room
    if (acl.readable) std::erase(acl.changed, name);
  } else if (!acl.all_running) {
    begin_all(module);
  } else if (acl.next < acl.names.size()) {
    begin_user(module, acl.names[acl.next]);
    acl.next += acl.readable;
  } else {
    finish_all(module);
  }
}

}  // namespace

bool AclReading::wanted() const {
  return can_be_read() || std::ranges::any_of(told, [](const Told& each) { return !each.queued; });
}

void AclReading::change(std::string_view user) {
  if (std::ranges::find(changed, user) != changed.end()) return;
  if (changed.size() < kMostChanged) {
    changed.emplace_back(user);
    return;
  }
  changed.clear();
  all_wanted = true;
}

void AclReading::tell(std::uint64_t client, std::string_view user, bool queued, bool closes) {
  if (user.size() > UserTable::kLongestName) user = {};
  for (Told& other : told) {
    if (other.client != client || other.queued != queued || (other.user != user && !other.user.empty())) continue;
    other.closes |= closes;
    return;
  }
  try {
    if (told.size() >= kMostTold) throw std::bad_alloc();
    told.push_back({client, std::string(user), queued, closes});
  } catch (...) {  // which user it is was lost
    lost = lost && lost != client ? kEverybody : client;
    all_wanted |= !queued;
  }
}

void AclReading::exec_runs(std::uint64_t client) {
  all_wanted |= lost == client || lost == kEverybody;
  for (Told& each : told)
    if (each.client == client) each.queued = false;
}

void AclReading::forget(std::uint64_t client) {
  if (told.empty()) return;
  std::erase_if(told, [&](const Told& each) { return each.client == client && each.queued; });
}

void AclReading::rejected(std::uint64_t client) {
  if (told.empty()) return;
  std::erase_if(told, [&](const Told& each) { return each.client == client && !each.queued; });
}

void AclReading::gone(std::uint64_t client, bool waited) {
  if (lost == client) lost = 0;
  std::erase_if(told, [&](const Told& each) { return each.client == client && (each.queued || waited); });
  for (Told& each : told)
    if (each.client == client) each.client = 0;
}

namespace {

// A client whose user goes is default's until it is closed.
void mark_clients_of(Module& module, const std::vector<std::string>& users) {
  constexpr std::size_t kLookedFor = 8;
  if (users.size() > kLookedFor) {
    module.identity.ask_again_for_all();
    return;
  }
  std::array<std::uint32_t, kLookedFor> rows{};
  for (std::size_t i = 0; i < users.size(); ++i) {
    std::uint32_t row = module.users.find(users[i]);
    rows[i] = row ? row : UserTable::kOther;
  }
  module.clients.for_each([&](Client& client) {
    if (client.user != UserTable::kInternal && std::find(rows.begin(), rows.end(), client.user) != rows.end())
      module.identity.ask_again(client);
  });
}

// Has it not run yet? A client that waits no more runs its command before the next tick but one.
bool waits(Module& module, AclReading::Told& told, bool done) {
  const Client* client = told.client ? module.clients.find(told.client) : nullptr;
  if (!client) return false;
  if (!done && told.client == module.last_id) return true;
  if (module.identity.is_blocked(*client).value_or(true)) told.waited = module.acl.ticks;
  return told.waited && module.acl.ticks < told.waited + 2;
}

}  // namespace

void note_acl_changes(Module& module, bool done) {
  AclReading& acl = module.acl;
  if (acl.told.empty()) return;
  bool any = false, all_closed = false;
  std::vector<std::string> closed;
  try {
    std::erase_if(acl.told, [&](AclReading::Told& each) {
      if (each.queued) return false;
      bool waiting = waits(module, each, done);
      bool runs_now = waiting && !done && each.client == module.last_id;  // so its EXEC may have come to it
      if (waiting && !runs_now) return false;
      any = true;
      all_closed |= each.closes && each.user.empty();
      if (each.closes) closed.push_back(each.user);
      if (runs_now) return false;
      if (each.user.empty())
        acl.all_wanted = true;
      else
        acl.change(each.user);
      return true;
    });
    if (!any) return;
    module.identity.ask_for_default();
    if (all_closed)
      module.identity.ask_again_for_all();
    else if (!closed.empty())
      mark_clients_of(module, closed);
  } catch (...) {  // out of memory
    acl.all_wanted = true;
    module.identity.ask_again_for_all();
    module.identity.ask_for_default();
  }
}

void keys_moved(Module& module) {
  module.sweep.as_of.reset();
  module.sweep.moved = module.keyspace.total() > 0 || !module.keyspace.live();
  module.places.forget();
  // Where a pass counts the keys, none may have been counted before.
  if (module.keyspace.total() > 0 || module.keyspace.importing() || module.keyspace.wants_seeding())
    module.keyspace.request_seeding(false);
}

std::function<bool()> room_from_orphans(Module& module) {
  // More and more at once: each time all rows and records are looked at.
  return [&module, at_once = std::size_t{1}, none = false]() mutable {
    constexpr std::size_t kMost = 64;
    none = none || !module.keyspace.vacate_orphans(std::exchange(at_once, std::min(2 * at_once, kMost)));
    return !none;
  };
}

bool read_acl(Module& module, std::uint64_t usec) {
  AclReading& acl = module.acl;
  std::uint64_t start = monotonic_usec();
  try {
    while (acl.can_be_read()) {
      step(module);
      std::uint64_t now = monotonic_usec();
      if (!acl.readable) acl.next_usec = now + kRefusedUsec;
      if (!acl.readable || now - start >= usec) break;
    }
    std::uint64_t now = monotonic_usec();
    acl.spent_usec += now - start;
    if (!acl.can_be_read()) acl.next_usec = now + kRest * std::exchange(acl.spent_usec, 0);
  } catch (...) {  // out of memory: a user was taken in by half, and is read again. Keys may belong elsewhere by now
    module.keyspace.request_seeding(false);
    throw;
  }
  return !acl.can_be_read();
}

}  // namespace tenants
