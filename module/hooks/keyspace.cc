// Keys that appear and vanish. In a notification nothing but bytes is read: no OpenKey, no Call, no Retain (the key of
// LOADED is on the server's stack).
#include <string_view>
#include <vector>

#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;

namespace {

// Valkey 9 names the wrong database for what MOVE and COPY … DB do inside MULTI (GetSelectedDb, module.c); the client's
// own record is right, but costs a system call.
int database_of(Module& module, server_api::Context* context) {
  if (module.exec_elsewhere) {
    // Not for the client of a script or of a module's call, which may have the same id: it has no connection, and
    // asking for it kills 9.1.2.
    server_api::ClientInfo info{.version = 1};
    if (!module.called_with_last_id && api.GetClientId(context) == module.last_id &&
        api.GetClientInfoById(&info, module.last_id) == server_api::kOk)
      return info.db;
  }
  return api.GetSelectedDb(context);
}

bool is_empty(int db) {
  server_api::Context* context = module_state->context.get();
  api.SelectDb(context, db);
  return api.DbSize(context) == 0;
}

std::vector<SlotRange> slots_of(const server_api::SlotMigrationInfo& info) {
  std::vector<SlotRange> slots;
  for (std::uint32_t i = 0; i < info.num_slot_ranges; ++i)
    slots.push_back({info.slot_ranges[i].start, info.slot_ranges[i].end});
  return slots;
}

}  // namespace

int on_key(server_api::Context* context, int type, const char* event_name, server_api::String* key) noexcept {
  Module& module = *module_state;
  ++module.key_events;
  try {
    int db = database_of(module, context);
    if (type & server_api::kNotifyNew) {
      module.keyspace.appeared(db, server_api::view(key));
    } else if (type & server_api::kNotifyLoaded) {
      if (module.loading_aside)
        module.keyspace.loaded_aside(db, server_api::view(key));
      else
        module.keyspace.appeared(db, server_api::view(key));
    } else {  // of the type EXPIRED is "hexpired", too: a hash lost a field
      std::string_view event = event_name;
      if (event == "del" || event == "rename_from" || event == "move_from") {
        module.keyspace.vanished(db, server_api::view(key));
        if (module.last_command && module.last_command->special & CommandEntry::kMigrate)
          module.keyspace.vanished_twice(db, server_api::view(key), api.DbSize(context));
      } else if (event == "expired")
        ++module.prefixes[module.keyspace.vanished(db, server_api::view(key))].cache.expired;
      else if (event == "evicted")
        ++module.prefixes[module.keyspace.vanished(db, server_api::view(key))].cache.evicted;
      else if (event == "rename_to" || event == "copy_to" || event == "restore" || event == "move_to")
        module.keyspace.replaced(db, server_api::view(key), api.DbSize(context));
    }
  } catch (...) {  // out of memory: this key is not counted. The sum need not tell, if it happens twice
    module.keyspace.request_seeding(true);
  }
  return server_api::kOk;
}

void on_flush(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept {
  if (subevent != server_api::kFlushDbStart) return;
  int db = static_cast<server_api::FlushInfo*>(data)->dbnum;
  // Of an empty one nothing changes, not even for the pass that counts. Keys that arrive don't show in its size.
  if (db >= 0 && is_empty(db) && !module_state->keyspace.importing()) return;
  ++module_state->key_events;
  module_state->keyspace.flushed(db);
  module_state->sweep.databases_changed();
  db < 0 ? module_state->databases.clear() : module_state->databases.forget(db);
}

void on_swap(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept {
  auto* info = static_cast<server_api::SwapDbInfo*>(data);
  if (is_empty(info->dbnum_first) && is_empty(info->dbnum_second)) return;
  ++module_state->key_events;
  try {
    module_state->keyspace.swapped(info->dbnum_first, info->dbnum_second);
    module_state->sweep.databases_changed();
    module_state->databases.swap(info->dbnum_first, info->dbnum_second);
    if (module_state->prefixes.limited()) keys_moved(*module_state);  // patterns that hold in one only
  } catch (...) {
    module_state->keyspace.request_seeding(true);
  }
}

void on_loading(server_api::Context*, server_api::Event, std::uint64_t subevent, void*) noexcept {
  Module& module = *module_state;
  module.found_keys = true;
  try {
    // Before the first key: the ACL is known by now, and loading blocks the server anyway.
    if (subevent <= server_api::kLoadingReplStart) module.acl.go_on(~std::uint64_t{0});
    if (subevent != server_api::kLoadingEnded) return;
    module.loaded = true;
    learn_imports(module);  // a data set tells of those that its primary was at
  } catch (...) {
  }
}

// The new data set is loaded beside the old one, which goes on serving under the same database numbers.
void on_async_loading(server_api::Context*, server_api::Event, std::uint64_t subevent, void*) noexcept {
  Module& module = *module_state;
  module.loading_aside = subevent == server_api::kReplAsyncLoadStarted;
  module.found_keys = true;
  try {
    if (module.loading_aside)
      module.keyspace.begin_loading_aside();
    else
      module.keyspace.end_loading_aside(subevent == server_api::kReplAsyncLoadCompleted);
  } catch (...) {  // its keys are counted beside those of now
    module.loading_aside = false;
    module.keyspace.request_seeding(true);
  }
  module.loaded = true;
}

void learn_imports(Module& module) {
  bool may_import = module.server.valkey_at_least(9, 0) && api.GetContextFlags(nullptr) & server_api::kFlagCluster;
  if (may_import && module.keyspace.live()) module.keyspace.import_began(module.ask.importing_slots(), false);
}

void on_slot_migration(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept {
  Module& module = *module_state;
  bool began = subevent == server_api::kImportStarted, completed = subevent == server_api::kImportCompleted;
  if (!began && !completed && subevent != server_api::kImportAborted) return;
  ++module.key_events;
  try {
    std::vector<SlotRange> slots = slots_of(*static_cast<server_api::SlotMigrationInfo*>(data));
    if (began) return module.keyspace.import_began(slots, true);
    module.keyspace.import_ended(slots);
    // A key that another took the place of, RENAME say, vanished without a word. An import that FLUSHALL aborts ends
    // before the keys do: its sum is right when that has run.
    completed ? module.sweep.check_sums(false) : void(module.loaded = true);
  } catch (...) {  // out of memory
    module.keyspace.request_seeding(false);
  }
}

void on_module_change(server_api::Context*, server_api::Event, std::uint64_t subevent, void*) noexcept {
  module_state->identity.ask_again_for_all();  // whom it logged in is default's until it is closed
  if (subevent == server_api::kModuleUnloaded) module_state->identity.module_went();
  try {
    read_command_table(*module_state);
  } catch (...) {
  }
}

}  // namespace tenants
