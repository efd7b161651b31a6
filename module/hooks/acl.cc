// Reads the ACL through ACL USERS and ACL GETUSER, a few users at a time, and says who holds which key patterns.
// Passwords are in the reply's field "passwords", which is never looked at.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
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
  std::size_t first = user.patterns.size();
  for (std::size_t i = 0; i + 1 < api.CallReplyLength(rules); i += 2) {
    std::string_view field = server_api::text(api.CallReplyArrayElement(rules, i));
    CallReply* value = api.CallReplyArrayElement(rules, i + 1);
    std::string_view text = server_api::text(value);
    if (field == "keys")
      for (KeyPattern& pattern : patterns_of_keys(text)) user.patterns.push_back(std::move(pattern));
    if (field == "commands") {
      user.all_commands = text == "+@all";
      for (std::string& name : commands_by_name(text)) user.commands.push_back(std::move(name));
    }
    if (field == "databases")  // from 9.1 on; after the keys
      if (std::vector<int> databases = databases_of_rule(text); !databases.empty())
        for (std::size_t p = first; p < user.patterns.size(); ++p) limit_to_databases(user.patterns[p], databases);
    if (field == "flags")
      for (std::size_t f = 0; f < api.CallReplyLength(value); ++f)
        user.enabled |= server_api::text(api.CallReplyArrayElement(value, f)) == "on";
    if (field != "selectors") continue;
    user.selectors = api.CallReplyLength(value) > 0;
    for (std::size_t s = 0; s < api.CallReplyLength(value); ++s) read_rules(user, api.CallReplyArrayElement(value, s));
  }
}

// Commands that write, of each type, and how many words each has after the key at least.
struct Write {
  std::string_view command;
  int more;
};
constexpr Write kWrites[] = {{"SET", 1},   {"DEL", 0},   {"EXPIRE", 1}, {"HSET", 2},  {"HDEL", 1},
                             {"RPUSH", 1}, {"LPUSH", 1}, {"LPOP", 0},   {"SADD", 1},  {"SREM", 1},
                             {"ZADD", 2},  {"ZREM", 1},  {"XADD", 3},   {"XDEL", 1},  {"SETBIT", 2},
                             {"PFADD", 0}, {"INCR", 0},  {"APPEND", 1}, {"GEOADD", 3}};

// May the user write this key? Nothing where the server says nothing. The command by which it may comes first then.
std::optional<bool> may_write(Module& module, std::string_view user, const KeyPattern& pattern,
                              std::vector<Write>& writes) {
  std::optional<bool> may;
  api.SelectDb(module.context.get(), pattern.database);  // the server says of the one that is selected
  for (Write& write : writes) {
    std::vector<std::string_view> words(static_cast<std::size_t>(2 + std::max(write.more, 0)), pattern.key);
    words[0] = write.command;
    std::optional<bool> answer = module.ask.may_run(user, words);
    if (!answer) continue;
    may = answer;
    if (*answer) {
      std::swap(write, writes.front());
      break;
    }
  }
  return may;
}

// Which patterns may it really write? Its rules for commands, and its selectors, decide, too: the server is
// asked. Some of the commands that write stand for all, and those that its rules name. Without selectors one pattern
// tells for all that allow as much; with selectors each is asked for, up to kMostAsked. 2 µs each, 0.9 ms at the most.
void ask_what_it_writes(Module& module, std::string_view name, UserKeys& user) {
  constexpr std::size_t kMostAsked = 16, kMostNamed = 8;
  if (user.all_commands && !user.selectors) return;
  std::vector<Write> writes(std::begin(kWrites), std::end(kWrites));
  for (const std::string& command : user.commands) {
    const CommandEntry* entry = module.commands.find(command);
    if (writes.size() >= std::size(kWrites) + kMostNamed) break;
    if (entry && entry->kind == Kind::kWrite) writes.push_back({command, std::abs(entry->arity) - 2});
  }
  std::size_t asked = 0;
  std::optional<bool> verdicts[2];  // on patterns that it may only write, and read, too
  for (KeyPattern& pattern : user.patterns) {
    if (!pattern.writes || pattern.name.empty()) continue;
    std::optional<bool>& verdict = verdicts[pattern.reads];
    if (!verdict || user.selectors) {
      if (asked++ == kMostAsked) break;
      verdict = may_write(module, name, pattern, writes).value_or(true);
    }
    pattern.writes = *verdict;
  }
}

void take_in(Module& module, std::uint32_t row, const UserKeys& keys) {
  if (module.owners.set(row, keys, room_from_orphans(module))) keys_moved(module);
}

// It is not in the ACL any more: its row may be another user's after a while.
void leave(Module& module, std::uint32_t row) {
  take_in(module, row, {});
  User& user = module.users[row];
  user.in_acl = false;
  if (!user.gone_usec) user.gone_usec = monotonic_usec();
}

void read_user(Module& module, const std::string& name) {
  server_api::Reply reply = module.ask.user(name);
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
  ask_what_it_writes(module, name, keys);
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
  if (module.named_lack_room) use_named_prefixes(module);
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
