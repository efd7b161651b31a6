// For whom does a command count, and when?
//
// The filter sees a command before anything was checked, and inside MULTI when it is queued: whether it runs, and whose
// client it is by then, is known later or never. So each client has a state between its commands; this says what each
// command makes of it. No server is known here: what was sent, and what the server said since, comes in; counts go to
// the table of users, and what is to be asked or done elsewhere comes out.
//
// Plain commands outside of transactions need none of it (hooks/commands.cc counts them itself).
#pragma once

#include <cstdint>

#include "module/accounting/clients.h"
#include "module/accounting/commands.h"
#include "module/accounting/users.h"

namespace tenants {

// What a server tells of its own accord.
struct ServerTells {
  bool refusals;  // of each refused command, before anything else can run: from 9.1 on
  bool logins;    // of each attempt: from 9.0 on
};

// The script that runs, or ran last.
struct RunningScript {
  Client* client = nullptr;                   // whose it is; null: nobody's, or it is gone
  std::uint32_t user = UserTable::kInternal;  // for whom what it calls counts, where there is no client
  bool by_module = false;                     // a module has called it
  std::uint32_t row() const { return client ? client->user : user; }
};

class Attribution {
 public:
  // A command as a client has sent it, and what the server says where it decides.
  struct Sent {
    const CommandEntry* command;  // null: the server has none of this name
    int arguments;                // with its name
    bool lets_in = true;          // for a client that is kAnonymous: the server does not ask for a login
    bool multi_refused = false;   // for one of which may_be_refused() holds: it is in no transaction
    bool in_script = false;       // for a command that begins a script: another one runs
  };

  // What is left to be done.
  enum Effect : unsigned {
    kCountsNow = 1,
    kAskUser = 2,        // when the command has run: the client's user may be another one, or the command refused
    kAskIfRan = 4,       // an EXEC after WATCH: nothing of it runs if a watched key changed
    kTakeLastBytes = 8,  // what went over the connection until now is the present user's
    kRunsQueued = 16,    // what was queued runs
    kDropsQueued = 32,   // nothing is queued any more
    kMayCall = 64,       // the command may call others: they are its client's
    kElsewhere = 128,    // it may change keys of other databases than its client's
    kChangesAcl = 256,   // unless it is refused
    kQueuesAclChange = 512,
    kRunsAclChanges = 1024,     // those that were queued
    kForgetsAclChanges = 2048,  // likewise
    kBeginsMonitor = 4096,
    kEndsMonitor = 8192,
    kLogsOut = 16384,
    kUsesNoTouch = 32768,
    kBeginsScript = 65536,
  };

  Attribution(UserTable& users, CommandTable& commands, ServerTells tells)
      : users_(users), commands_(commands), tells_(tells) {}

  // May the MULTI that this client has sent last have been refused? Asked once per client and change of the ACL.
  bool may_be_refused(const Client& client) const {
    return client.is(Client::kInMulti) && client.queued.end() == 0 && !tells_.refusals && !client.is(Client::kMayMulti);
  }
  // The filter has seen it. Returns effects. Allocates where it is queued.
  unsigned sent(Client& client, const Sent& sent);
  // Counts what runs now by these effects. To be called when they have been acted upon: it allocates where a user runs
  // a command for the first time, and that may fail.
  void count(Client& client, unsigned effects);
  // The server has refused what the client sent last. Returns effects.
  unsigned refused(Client& client);
  // What the client sent last never ran: refused, or it waited and the client has gone.
  void never_ran(Client& client);
  // Its EXEC did nothing: a watched key had changed.
  void queued_never_ran(Client& client);
  // Somebody has tried to log this client in.
  void login(Client& client, bool granted);
  // The client's user is, or has become, this one. True where that is another one than before.
  bool user_is(Client& client, std::uint32_t user);
  // The next part of the transaction that ran, or runs, is the user's of now; `whole`: all that is left.
  void count_rest(Client& client, bool whole);
  // The client goes: its open transaction and its script with it.
  void gone(Client& client);
  // Its entry has another place now.
  void moved(const Client* from, Client* to) {
    if (script_.client == from) script_.client = to;
    if (before_.client == from) before_.client = to;
  }

  // A command that no client has sent. `in_script`: the script calls; else `client` does, by a module's command, or,
  // where that is null, the user of this row.
  void called(const CommandEntry& command, bool in_script, Client* client, std::uint32_t user);
  const RunningScript& script() const { return script_; }
  // The row goes to another user.
  void give_up_row(std::uint32_t row) {
    if (script_.user == row) script_.user = UserTable::kOther;
  }

  // For whom commands of this client count.
  static std::uint32_t row_of(const Client& client) {
    return client.is(Client::kImport) ? UserTable::kInternal : client.user;
  }
  // Are these flags possible together?
  static bool is_legal(const Client& client);

 private:
  static void leave(Client& client);
  unsigned give_up(Client& client);
  unsigned queue(Client& client, const CommandEntry& command, bool logs_in);
  unsigned exec(Client& client);
  void count_part(Client& client);
  void take_back(User& user, std::uint16_t command, std::uint64_t times);

  UserTable& users_;
  CommandTable& commands_;
  ServerTells tells_;
  RunningScript script_;
  // What the last command found that begins, ends or changes a transaction, EXEC but none: it is so still, if the
  // command is refused.
  struct {
    const Client* client = nullptr;
    std::uint16_t command = 0, flags = 0;
  } before_;
};

}  // namespace tenants
