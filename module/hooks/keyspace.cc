// Keys that appear and vanish. In a notification nothing but bytes is read: no OpenKey, no Call, no Retain (the key of
// LOADED is on the server's stack).
#include <string_view>

#include "module/hooks/hooks.h"

namespace tenants {

using server_api::api;

int on_key(server_api::Context* context, int type, const char* event_name, server_api::String* key) noexcept {
  Module& module = *module_state;
  try {
    if (type & (server_api::kNotifyNew | server_api::kNotifyLoaded)) {
      module.keyspace.appeared(api.GetSelectedDb(context), server_api::view(key));
    } else if (type & (server_api::kNotifyExpired | server_api::kNotifyEvicted)) {
      module.keyspace.vanished(api.GetSelectedDb(context), server_api::view(key));
    } else {
      std::string_view event = event_name;
      if (event == "del" || event == "rename_from" || event == "move_from")
        module.keyspace.vanished(api.GetSelectedDb(context), server_api::view(key));
      else if (event == "rename_to" || event == "copy_to" || event == "restore" || event == "move_to")
        module.keyspace.replaced(api.GetSelectedDb(context), server_api::view(key), api.DbSize(context));
    }
  } catch (...) {  // out of memory: the sum tells, and the keys are counted again
  }
  return server_api::kOk;
}

void on_flush(server_api::Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept {
  if (subevent == server_api::kFlushDbStart)
    module_state->keyspace.flushed(static_cast<server_api::FlushInfo*>(data)->dbnum);
}

void on_swap(server_api::Context*, server_api::Event, std::uint64_t, void* data) noexcept {
  auto* info = static_cast<server_api::SwapDbInfo*>(data);
  try {
    module_state->keyspace.swapped(info->dbnum_first, info->dbnum_second);
  } catch (...) {
    module_state->keyspace.request_seeding(true);
  }
}

void on_loading(server_api::Context*, server_api::Event, std::uint64_t subevent, void*) noexcept {
  Module& module = *module_state;
  try {
    // Before the first key: the ACL is known by now, and loading blocks the server anyway.
    if (subevent <= server_api::kLoadingReplStart) read_acl(module, ~std::uint64_t{0});
  } catch (...) {
  }
}

// The new data set is loaded beside the old one under the same database numbers: counts are taken anew at the end.
void on_async_loading(server_api::Context*, server_api::Event, std::uint64_t, void*) noexcept {
  module_state->keyspace.request_seeding(false);
}

void on_module_change(server_api::Context*, server_api::Event, std::uint64_t, void*) noexcept {
  try {
    read_command_table(*module_state);
  } catch (...) {
  }
}

}  // namespace tenants
