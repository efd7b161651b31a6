#include "module/accounting/attribution.h"

#include <algorithm>
#include <cassert>

namespace tenants {

namespace {

constexpr unsigned kOfTransaction =
    Client::kInMulti | Client::kWillFail | Client::kQueuedIdentity | Client::kQueuedOtherDatabase | Client::kWatching;

// HELLO 3 AUTH …, too.
bool is_login(const CommandEntry& command, int arguments) {
  return command.special & CommandEntry::kAuth && (command.arity != -1 || arguments >= 5);
}

}  // namespace

bool Attribution::is_legal(const Client& client) {
  bool only_in_multi = client.is(Client::kWillFail | Client::kQueuedIdentity | Client::kQueuedOtherDatabase);
  if (only_in_multi && !client.is(Client::kInMulti)) return false;
  if (client.is(Client::kRanQueued) && client.is(Client::kInMulti)) return false;
  if (client.is(Client::kRanSince) && !client.is(Client::kUnlisted)) return false;
  return client.uncounted == Client::kNothing || client.uncounted <= client.queued.end();
}

unsigned Attribution::sent(Client& client, const Sent& sent) {
  const CommandEntry* command = sent.command;
  bool is_first = client.last == 0;
  client.clear(Client::kCounted | Client::kRanQueued);
  before_.client = nullptr;
  if (sent.multi_refused) client.clear(kOfTransaction & ~Client::kWatching);
  if (command)
    client.last = static_cast<std::uint16_t>(commands_.number_of(*command));  // of the server's, too, if it is refused
  if (!command || !command->accepts(sent.arguments)) {
    if (!client.is(Client::kInMulti)) return 0;
    if (!command || !(command->special & CommandEntry::kExec)) return give_up(client);
    leave(client);  // an EXEC that is refused ends it, too
    return kDropsQueued | kForgetsAclChanges;
  }

  std::uint32_t special = command->special;
  constexpr std::uint32_t kOtherThanExec = CommandEntry::kMulti | CommandEntry::kDiscard | CommandEntry::kReset |
                                           CommandEntry::kWatch | CommandEntry::kUnwatch;
  if (special & kOtherThanExec) before_ = {&client, client.last, client.flags};
  unsigned effects = 0;
  if (special & CommandEntry::kNoTouch) effects |= kUsesNoTouch;
  if (client.is(Client::kAnonymous) && !(special & CommandEntry::kNoAuth) && !sent.lets_in) return effects;
  bool in_multi = client.is(Client::kInMulti), logs_in = is_login(*command, sent.arguments);
  // The old user's until here, except what a new connection begins with.
  if (special & (CommandEntry::kAuth | CommandEntry::kReset) && !is_first && !in_multi) effects |= kTakeLastBytes;
  if (special & CommandEntry::kAcl && !client.is(Client::kWillFail))
    effects |= in_multi ? kQueuesAclChange : kChangesAcl;
  // Redis lets these two run within a transaction: they fail, and it goes on.
  if (in_multi && special & (CommandEntry::kMulti | CommandEntry::kWatch) && !(special & CommandEntry::kNoMulti))
    return effects | kCountsNow;
  if (in_multi && !(special & CommandEntry::kNotQueued)) return effects | queue(client, *command, logs_in);

  if (special & CommandEntry::kScript && !sent.in_script) {
    script_ = {&client, client.user, false};
    effects |= kBeginsScript;
  }
  if (special & CommandEntry::kExec && in_multi) effects |= exec(client);
  bool ends = special & (CommandEntry::kExec | CommandEntry::kDiscard) && in_multi;  // else the server refuses it
  if (ends || special & CommandEntry::kReset) {
    effects |= kDropsQueued;
    if (!(special & CommandEntry::kExec)) effects |= kForgetsAclChanges;
    leave(client);
  }
  if (special & CommandEntry::kMulti) {
    effects |= kForgetsAclChanges;
    client.set(Client::kInMulti);
    client.queued.clear();
    client.uncounted = Client::kNothing;
  }
  if (special & CommandEntry::kWatch) client.set(Client::kWatching);
  if (special & CommandEntry::kUnwatch) client.clear(Client::kWatching);
  if (special & CommandEntry::kReset) effects |= kEndsMonitor | kLogsOut;
  if (special & CommandEntry::kMonitor && !client.is(Client::kMonitor)) {
    client.set(Client::kMonitor);
    effects |= kBeginsMonitor | kAskUser;  // it may be refused
  }
  if (special & CommandEntry::kImport) {
    client.set(Client::kImport);
    effects |= kAskUser;  // likewise
  }
  // Where nobody tells whether it logs in, it is taken for granted, so that what it runs counts.
  if (logs_in && !tells_.logins) client.clear(Client::kAnonymous);
  if (special & (CommandEntry::kIdentity | CommandEntry::kAcl)) effects |= kAskUser;
  if (special & CommandEntry::kIdentity) effects |= kMayCall;
  assert(is_legal(client));
  return effects | kCountsNow;
}

void Attribution::count(Client& client, unsigned effects) {
  if (effects & kRunsQueued) count_part(client);
  if (!(effects & kCountsNow)) return;
  users_[row_of(client)].count(client.last, commands_.counted(client.last).kind);
  client.set(Client::kCounted);
}

unsigned Attribution::queue(Client& client, const CommandEntry& command, bool logs_in) {
  unsigned effects = 0;
  if (command.special & CommandEntry::kNoMulti) effects = give_up(client);
  if (client.is(Client::kWillFail)) return effects;
  client.queued.add(client.last);
  if (command.special & (CommandEntry::kIdentity | CommandEntry::kAcl)) client.set(Client::kQueuedIdentity);
  if (command.special & CommandEntry::kOtherDatabase) client.set(Client::kQueuedOtherDatabase);
  if (logs_in) client.queued.end_part();
  assert(is_legal(client));
  return effects;
}

// EXEC runs what was queued: up to the first login it is the user's of now, the rest counts as its users come to be
// known.
unsigned Attribution::exec(Client& client) {
  if (client.is(Client::kWillFail)) return 0;
  client.set(Client::kRanQueued);
  client.uncounted = 0;
  unsigned effects = kRunsQueued;
  if (client.queued.has_parts()) effects |= kTakeLastBytes;  // up to its login they are the old user's
  if (client.is(Client::kQueuedOtherDatabase)) effects |= kElsewhere;
  if (client.is(Client::kWatching)) effects |= kAskUser | kAskIfRan;
  if (client.is(Client::kQueuedIdentity)) effects |= kAskUser | kMayCall | kRunsAclChanges;
  return effects;
}

// EXEC will be refused: nothing of it will run.
unsigned Attribution::give_up(Client& client) {
  client.set(Client::kWillFail);
  return kForgetsAclChanges;
}

void Attribution::leave(Client& client) { client.clear(kOfTransaction); }

void Attribution::gone(Client& client) {
  leave(client);
  if (script_.client == &client) script_.client = nullptr;
  if (before_.client == &client) before_.client = nullptr;
}

unsigned Attribution::refused(Client& client) {
  unsigned effects = 0;
  if (before_.client == &client && before_.command == client.last) {
    client.clear(kOfTransaction);
    client.set(before_.flags & kOfTransaction);
  } else if (client.is(Client::kInMulti) && client.is(Client::kCounted)) {
    client.clear(kOfTransaction & ~Client::kWatching);  // a MULTI that has waited (CLIENT PAUSE) while others came
  }
  if (client.is(Client::kInMulti)) effects = give_up(client);
  never_ran(client);
  assert(is_legal(client));
  return effects;
}

void Attribution::never_ran(Client& client) {
  if (!client.is(Client::kCounted)) return;
  take_back(users_[row_of(client)], client.last, 1);
  queued_never_ran(client);
  client.clear(Client::kCounted);
}

void Attribution::queued_never_ran(Client& client) {
  if (client.is(Client::kRanQueued)) {
    User& user = users_[row_of(client)];
    client.queued.visit_part(0, [&](const Transaction::Item& item) { take_back(user, item.command, item.times); });
  }
  client.uncounted = Client::kNothing;
  client.clear(Client::kRanQueued);
}

void Attribution::take_back(User& user, std::uint16_t command, std::uint64_t times) {
  user.take_back(command, commands_.counted(command).kind, times);
}

void Attribution::login(Client& client, bool granted) {
  if (granted)
    client.clear(Client::kAnonymous);
  else
    ++users_[client.user].of(Counter::kAuthFailures);
}

bool Attribution::user_is(Client& client, std::uint32_t user) {
  if (client.user == user) return false;
  users_[client.user].disconnected();
  client.user = user;
  users_[user].connected();
  client.clear(Client::kMayMulti);
  return true;
}

void Attribution::count_part(Client& client) {
  User& user = users_[row_of(client)];
  std::uint16_t highest = 0;
  client.queued.visit_part(client.uncounted,
                           [&](const Transaction::Item& item) { highest = std::max(highest, item.command); });
  user.make_room(highest);  // or memory might run out in the middle
  auto count = [&](const Transaction::Item& item) {
    user.count(item.command, commands_.counted(item.command).kind, item.times);
  };
  client.uncounted = static_cast<std::uint32_t>(client.queued.visit_part(client.uncounted, count));
}

void Attribution::count_rest(Client& client, bool whole) {
  while (client.uncounted < client.queued.end()) {
    count_part(client);
    if (!whole) return;
  }
}

void Attribution::called(const CommandEntry& command, bool in_script, Client* client, std::uint32_t user) {
  if (in_script) {
    if (command.special & CommandEntry::kNoScript) return;
    user = script_.row();
  } else if (client) {
    user = client->user;
  }
  if (command.special & CommandEntry::kScript && !in_script) script_ = {client, user, true};
  users_[user].count(commands_.number_of(command), command.kind);
}

}  // namespace tenants
