// What the server tells us, and what each telling changes.
#pragma once

#include <functional>

#include "module/accounting/server_text.h"
#include "module/module.h"

namespace tenants {

// commands.cc
void on_command(server_api::FilterContext* filter) noexcept;
void on_rejected(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept;
void on_failed(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept;
// Does the script of a client call, and not a module's command that it has called?
bool is_by_script_itself(const Module& module);
// The command that ran last may have kept the main thread busy for long: if so, into the slow list of its user.
void note_if_slow(Module& module);
// If it is not known yet: was the EXEC that was counted last not run, since a watched key had changed? Then takes back
// what was queued. To be called before any other command runs.
void settle_watched_exec(Module& module);
// The client goes: its open transaction and its script with it.
void forget_transaction(Module& module, Client& client);

// command_table.cc
void read_command_table(Module& module);
// A name that the table lacks: unknown to the server, too, or one that it was given by rename-command. Once per name.
const CommandEntry* learn(Module& module, server_api::String* name);

// lookups.cc
// Of a command with many keys one, by chance, stands for all of them. `client`: who runs the command, or null where
// nobody knows in which database. To be called when lookups.due() says so. Some 3 µs.
[[gnu::noinline]] void sample_lookups(Module& module, const Client* client, server_api::FilterContext* context,
                                      const CommandEntry& command);
// EXEC runs, or the transaction is given up. What it writes itself is not foreseen.
void settle_queued_lookups(Module& module, const Client& client, bool run);

// connections.cc
// What the server says of the client; nothing where it must not be asked. From 9.0 on it takes whoever executes now if
// that has this id, which may be a client of its pool, without a connection: the server would end. So nobody may
// execute but a client with a connection: the one whose script has called this filter, or nobody at all.
std::optional<server_api::ClientInfo> ask_for(Module& module, const Client& client);
// Does what it sent last wait, for data or for the end of CLIENT PAUSE? Nothing where it must not be asked for.
std::optional<bool> is_blocked(Module& module, const Client& client);
void read_existing_clients(Module& module);
void on_client_change(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept;
void on_link_change(server_api::Context*, server_api::Event, std::uint64_t, void*) noexcept;
void on_authentication(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept;
// The entry of a client that the table does not know yet; null for clients that are none: scripts, calls by modules.
Client* adopt_client(Module& module, std::uint64_t id);
void mark_pending(Module& module, Client& client);
// Asks the server for the user of every client marked; `done`: the command that may have changed it has run. `next`:
// who runs its next command now; the others are asked for once more when they do.
void settle_users(Module& module, bool done, const Client* next = nullptr);
// Once more, at the client's next command.
void recheck(Module& module, Client& client);
// Whether the server lets clients in that have not logged in. O(1); some 10 µs after the ACL may have changed.
bool default_is_open(Module& module);
// The client has yet to log in, if the server asks for it.
void mark_anonymous(Module& module, Client& client);
// The same for all clients after a change of the ACL, and for links to a primary: what INFO needs to be right at every
// moment.
void settle_all(Module& module, bool done);
void forget_monitor(Module& module, Client& client);
// The client uses, or may use, CLIENT NO-TOUCH from now on. Allocates.
void note_no_touch(Module& module, const Client& client);
// Whether the client's line of CLIENT LIST has this letter among its flags; no, where it must not be asked for.
// Some 3 µs.
bool has_mark(Module& module, const Client& client, char letter);
// What CLIENT LIST says of `count` clients, from `place` on; returns where to go on, or 0.
std::uint32_t list_some(Module& module, std::uint32_t place, std::uint32_t count,
                        const std::function<void(Client&, const ClientLine&)>& visit);

// bytes.cc
// What went over the client's connection since it was last looked at, for its user: it goes, or changes its user. Some
// 3 µs, from 8.1 on and up to 0.03 µs for each client; left out, and counted, where more than a hundredth of the time
// went into that.
void take_last_bytes(Module& module, Client& client);
// The same for the next few clients in turn, if it is time.
void read_some_bytes(Module& module);

// leaving.cc
// Why the module must not be unloaded now; null: it may be. O(clients and rules): CLIENT LIST and ACL LIST.
const char* why_not_unloaded(Module& module) noexcept;

// config.cc
void read_slow_log_config(Module& module);
void on_config_change(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept;

// keyspace.cc
int on_key(server_api::Context*, int type, const char* event, server_api::String* key) noexcept;
void on_flush(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept;
void on_swap(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept;
void on_loading(server_api::Context*, server_api::Event, std::uint64_t subevent, void*) noexcept;
void on_async_loading(server_api::Context*, server_api::Event, std::uint64_t subevent, void*) noexcept;
void on_slot_migration(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept;
void on_module_change(server_api::Context*, server_api::Event, std::uint64_t, void*) noexcept;

// acl.cc
// Takes notice of the changes of the ACL that have run by now; `done`: so has the command that the filter saw last,
// unless it waits. O(changes), and O(clients) where users went.
void note_acl_changes(Module& module, bool done);
// Reads the ACL for at most `usec`; true when it is taken in whole.
bool read_acl(Module& module, std::uint64_t usec);

}  // namespace tenants
