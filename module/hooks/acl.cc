// Reads the ACL through ACL USERS and ACL GETUSER, a few users at a time, and says who holds which key patterns.
// Passwords are in the reply's field "passwords", which is never looked at.
#include <algorithm>
#include <array>
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

}  // namespace

// Patterns that get room are those of users that are read again.
void AclReading::read_again_who_gets_room() {
  while (std::uint32_t user = module_.owners.gets_room()) {
    if (user == UserTable::kOther)
      module_.acl_changes.read_all();
    else
      module_.acl_changes.read(module_.users[user].name);
    module_.owners.will_be_set();
  }
}

void AclReading::take_in(std::uint32_t row, const UserKeys& keys) {
  if (module_.owners.set(row, keys, room_from_orphans(module_))) keys_moved(module_);
  read_again_who_gets_room();
}

// It is not in the ACL any more: its row may be another user's after a while.
void AclReading::leave(std::uint32_t row) {
  take_in(row, {});
  User& user = module_.users[row];
  user.in_acl = false;
  if (!user.gone_usec) user.gone_usec = monotonic_usec();
}

// Its rules, in one call; then questions, and it is taken in when all are answered.
void AclReading::begin_user(const std::string& name) {
  server_api::Reply reply = module_.ask.user(name);
  if (server_api::is(reply.get(), server_api::kReplyNull)) {
    if (std::uint32_t row = module_.users.find(name)) leave(row), module_.users.find_gone();
    return;
  }
  readable_ = server_api::is(reply.get(), server_api::kReplyArray);
  if (!readable_) return;
  User& user = module_.users[module_.row_for(name)];
  user.in_acl = true;
  user.acl_reading = number_;
  user.gone_usec = 0;  // not to be reused
  Reading read;
  read.name = name;
  read_rules(read.keys, reply.get());
  user_ = std::move(read);
}

// What changes while it is asked is read afterwards.
void AclReading::go_on_with_user(Reading& user) {
  auto ask = [&](int database, std::span<const std::string_view> words) {
    api.SelectDb(module_.context.get(), database);  // the server says of the one that is selected
    return module_.ask.may_run(user.name, words);
  };
  if (!user.questions.go_on(user.keys, module_.writes, ask)) return;
  std::uint32_t row = module_.row_for(user.name);
  take_in(row, user.keys);
  if (!module_.tells_refusals)  // it may begin transactions now, or not any more
    module_.clients.for_each([&](Client& client) {
      if (client.user == row) client.clear(Client::kMayMulti);
    });
  user_.reset();
}

void AclReading::begin_all() {
  next_ = 0;
  names_.clear();
  server_api::Reply reply = module_.ask.user_names();
  readable_ = server_api::is(reply.get(), server_api::kReplyArray);
  if (!readable_) return;
  for (std::size_t i = 0; i < api.CallReplyLength(reply.get()); ++i)
    names_.emplace_back(server_api::text(api.CallReplyArrayElement(reply.get(), i)));
  ++number_;
  module_.owners.begin_all();
  module_.acl_changes.all_are_read();
  all_running_ = true;
}

// Users whom nobody named have gone.
void AclReading::finish_all() {
  for (std::uint32_t row = UserTable::kFirst; row < module_.users.end(); ++row) {
    User& user = module_.users[row];
    if (user.acl_reading == number_) continue;
    if (user.in_acl || !user.gone_usec) leave(row);
  }
  module_.users.find_gone();
  if (module_.owners.forget_others()) module_.keyspace.request_seeding(false);
  read_again_who_gets_room();
  if (module_.named_lack_room) use_named_prefixes(module_);
  names_.clear();
  all_running_ = false;
}

// One user's rules, or a question about it, or what comes before and after the reading of all.
void AclReading::step() {
  AclChanges& changes = module_.acl_changes;
  if (user_) {
    go_on_with_user(*user_);
  } else if (!changes.users().empty()) {
    std::string name = changes.users().back();
    begin_user(name);  // where that user has gone, others may change: they get its room
    if (readable_) changes.was_read(name);
  } else if (!all_running_) {
    begin_all();
  } else if (next_ < names_.size()) {
    begin_user(names_[next_]);
    next_ += readable_;
  } else {
    finish_all();
  }
}

bool AclReading::is_wanted() const { return all_running_ || user_ || module_.acl_changes.has_users(); }

bool AclReading::wanted() const { return is_wanted() || module_.acl_changes.awaits(); }

bool AclReading::is_due(std::uint64_t now) {
  constexpr std::uint64_t kWait = 10 * kSecond;  // a call per user leaves little else in a slow log of every command
  if (!is_wanted()) {
    wanted_usec_ = 0;
    return false;
  }
  if (wanted_usec_ == 0) wanted_usec_ = now;
  return now >= next_usec_ && (!module_.slow_log.has_ours() || now - wanted_usec_ >= kWait);
}

bool AclReading::go_on(std::uint64_t usec) {
  std::uint64_t start = monotonic_usec();
  try {
    while (is_wanted()) {
      step();
      std::uint64_t now = monotonic_usec();
      if (!readable_) next_usec_ = now + kRefusedUsec;
      if (!readable_ || now - start >= usec) break;
    }
    std::uint64_t now = monotonic_usec();
    spent_usec_ += now - start;
    if (!is_wanted()) next_usec_ = now + kRest * std::exchange(spent_usec_, 0);
  } catch (...) {  // out of memory: a user was taken in by half, and is read again. Keys may belong elsewhere by now
    module_.keyspace.request_seeding(false);
    throw;
  }
  return !is_wanted();
}

// A client whose user goes is default's until it is closed.
void AclReading::mark_clients_of(const std::vector<std::string>& users) {
  constexpr std::size_t kLookedFor = 8;
  if (users.size() > kLookedFor) {
    module_.identity.ask_again_for_all();
    return;
  }
  std::array<std::uint32_t, kLookedFor> rows{};
  for (std::size_t i = 0; i < users.size(); ++i) {
    std::uint32_t row = module_.users.find(users[i]);
    rows[i] = row ? row : UserTable::kOther;
  }
  module_.clients.for_each([&](Client& client) {
    if (client.user != UserTable::kInternal && std::find(rows.begin(), rows.end(), client.user) != rows.end())
      module_.identity.ask_again(client);
  });
}

void AclReading::take_notice(bool done) {
  if (!module_.acl_changes.any_told()) return;
  using Sender = AclChanges::Client;
  AclChanges::Ran ran = module_.acl_changes.settle([&](std::uint64_t id) {
    const Client* client = module_.clients.find(id);
    if (!client) return Sender::kNone;
    if (!done && id == module_.last_id) return Sender::kRunsNow;
    return module_.identity.is_blocked(*client).value_or(true) ? Sender::kBlocked : Sender::kFree;
  });
  if (!ran.any) return;
  module_.identity.ask_for_default();
  try {
    if (ran.closes_all)
      module_.identity.ask_again_for_all();
    else if (!ran.closes.empty())
      mark_clients_of(ran.closes);
  } catch (...) {  // out of memory
    module_.identity.ask_again_for_all();
  }
}

void keys_moved(Module& module) {
  module.sweep.keys_moved(module.keyspace.total() > 0 || !module.keyspace.live());
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

}  // namespace tenants
