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
// As SharedUse knows it.
std::uint64_t name_of_user(const Module& module, std::uint32_t user);
void settle_queued_lookups(Module& module, const Client& client, bool run);

// connections.cc
void on_client_change(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept;
void on_link_change(server_api::Context*, server_api::Event, std::uint64_t, void*) noexcept;
void on_authentication(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept;
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
// A client sends CONFIG SET, outside of a transaction: from when on commands are logged, should it say that and run. To
// ask for it would be a line in the slow log.
void note_config_set(Module& module, server_api::FilterContext* context);
// Gives the names of tenants.prefixes their rows, and takes them from those that are not there any more. Where memory
// runs out it throws, and all is as it was. O(rows + names).
void use_named_prefixes(Module& module);
void on_config_change(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept;

// keyspace.cc
int on_key(server_api::Context*, int type, const char* event, server_api::String* key) noexcept;
void on_flush(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept;
void on_swap(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept;
void on_loading(server_api::Context*, server_api::Event, std::uint64_t subevent, void*) noexcept;
void on_async_loading(server_api::Context*, server_api::Event, std::uint64_t subevent, void*) noexcept;
// Learns of slots that move here since before we could hear of it: a replica loads the keys that its primary had on
// their way. The keys are counted anew then.
void learn_imports(Module& module);
void on_slot_migration(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept;
void on_module_change(server_api::Context*, server_api::Event, std::uint64_t, void*) noexcept;

// acl.cc
// Keys that have been counted may belong elsewhere now: they are counted again.
void keys_moved(Module& module);
// Gives rows of orphans to patterns that find none: false where there is no orphan.
std::function<bool()> room_from_orphans(Module& module);

}  // namespace tenants
