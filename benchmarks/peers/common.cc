// How public examples count commands per user (valkeymodule-rs examples/filter2.rs and what follows it), written as
// they write it: a map from the client's id to its user's name, filled when a client connects and when it logs in; a
// map of counters keyed by that name; a lock around each, taken for every command. Loaded by benchmarks only.
//
// It is what tenants.so is compared with, and no model: it counts refused commands, knows nothing of RESET, scripts or
// clients from before it, and believes the name of every attempt to log in.
#include <mutex>
#include <string>
#include <unordered_map>

#include "server_api/api.h"
#include "server_api/call.h"

namespace {

using server_api::api;
using server_api::Context;
using server_api::String;

using AuthCallback = int (*)(Context*, String* user, String* password, String** error);
constexpr int kNotHandled = 1;

std::mutex names_lock, counters_lock;
std::unordered_map<std::uint64_t, std::string> names;
std::unordered_map<std::string, std::uint64_t> counters;

void remember(std::uint64_t id, std::string_view name) {
  std::lock_guard lock(names_lock);
  names[id] = name;
}

std::string name_of(std::uint64_t id) {
  std::lock_guard lock(names_lock);
  auto found = names.find(id);
  return found == names.end() ? "default" : found->second;
}

void on_command(server_api::FilterContext* context) noexcept {
  std::string name = name_of(api.CommandFilterGetClientId(context));
  std::lock_guard lock(counters_lock);
  ++counters[name];
}

int on_login(Context* context, String* user, String*, String**) noexcept {
  remember(api.GetClientId(context), server_api::view(user));
  return kNotHandled;
}

void on_client_change(Context*, server_api::Event, std::uint64_t subevent, void* data) noexcept {
  std::uint64_t id = static_cast<server_api::ClientInfo*>(data)->id;
  if (subevent == server_api::kClientConnected) return remember(id, "default");
  std::lock_guard lock(names_lock);
  names.erase(id);
}

void on_info(server_api::InfoContext* context, int) noexcept {
  std::lock_guard lock(counters_lock);
  api.InfoAddSection(context, "counters");
  for (const auto& [name, count] : counters) api.InfoAddFieldULongLong(context, name.c_str(), count);
}

}  // namespace

extern "C" [[gnu::visibility("default")]] int ValkeyModule_OnLoad(Context* context, String**, int) {
  server_api::load(context);
  api.SetModuleAttribs(context, "common", 1, server_api::kApiVersion);
  auto get = reinterpret_cast<int (*)(const char*, void*)>(*reinterpret_cast<void**>(context));
  void (*register_auth_callback)(Context*, AuthCallback) = nullptr;
  if (get("ValkeyModule_RegisterAuthCallback", &register_auth_callback) != server_api::kOk) return server_api::kErr;
  register_auth_callback(context, on_login);
  api.SubscribeToServerEvent(context, {server_api::kEventClientChange, 1}, on_client_change);
  api.RegisterInfoFunc(context, on_info);
  return api.RegisterCommandFilter(context, on_command, server_api::kFilterNoSelf) ? server_api::kOk : server_api::kErr;
}
