// The floor of whatever counts commands per user and has this module's subscriptions: one flat table of clients, a row
// of counters per user, one store for a sampler, and callbacks that do nothing. Loaded by benchmarks only.
//
// It is no model: it asks once who a client is and never again, tells kinds of commands by their first letter, counts
// what is refused, and holds 65,536 clients ever.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "server_api/api.h"
#include "server_api/call.h"

namespace {

using server_api::api;
using server_api::Context;

struct Slot {
  std::uint64_t id = 0;
  std::uint32_t user = 0, flags = 0;
};
static_assert(sizeof(Slot) == 16);
constexpr std::uint64_t kSlots = 1 << 17, kUsers = 1024;

std::unique_ptr<Slot[]> slots;
std::unique_ptr<std::array<std::uint64_t, 8>[]> counters;
std::atomic<std::uint32_t> now{0};
Context* asking = nullptr;

std::uint32_t user_of(std::uint64_t id) {
  server_api::String* name = api.GetClientUserNameById(asking, id);
  if (!name) return 0;
  std::uint32_t hash = 2166136261u;
  for (char byte : server_api::view(name)) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619u;
  api.FreeString(asking, name);
  return hash % kUsers;
}

void on_command(server_api::FilterContext* context) noexcept {
  std::uint64_t id = api.CommandFilterGetClientId(context), at = (id * 0x9e3779b97f4a7c15u) >> 47;
  while (slots[at].id != id) {
    if (slots[at].id == 0)
      slots[at] = {id, user_of(id), 0};
    else
      at = (at + 1) % kSlots;
  }
  std::uint32_t user = slots[at].user;
  now.store(user, std::memory_order_relaxed);
  std::string_view name = server_api::view(api.CommandFilterArgGet(context, 0));
  ++counters[user][static_cast<unsigned char>(name.empty() ? 0 : name[0]) % 8];
}

void on_event(Context*, server_api::Event, std::uint64_t, void*) noexcept {}
int on_key(Context*, int, const char*, server_api::String*) noexcept { return server_api::kOk; }

}  // namespace

extern "C" [[gnu::visibility("default")]] int ValkeyModule_OnLoad(Context* context, server_api::String**, int) {
  server_api::load(context);
  api.SetModuleAttribs(context, "floor", 1, server_api::kApiVersion);
  asking = api.GetDetachedThreadSafeContext(context);
  slots = std::make_unique<Slot[]>(kSlots);
  counters = std::make_unique<std::array<std::uint64_t, 8>[]>(kUsers);
  using namespace server_api;
  for (std::uint64_t event : {kEventClientChange, kEventPrimaryLinkChange, kEventFlushDb, kEventSwapDb, kEventLoading,
                              kEventReplAsyncLoad, kEventModuleChange, kEventConfig})
    api.SubscribeToServerEvent(context, {event, 1}, on_event);
  Server server{Flavour::kValkey, api.GetServerVersion()};
  if (server.valkey_at_least(9, 0)) api.SubscribeToServerEvent(context, {kEventAuthenticationAttempt, 1}, on_event);
  if (server.valkey_at_least(9, 1))
    for (std::uint64_t event : {kEventCommandFailure, kEventCommandRejected, kEventCommandAclRejected})
      api.SubscribeToServerEvent(context, {event, 1}, on_event);
  api.SubscribeToKeyspaceEvents(context, kNotifyGeneric | kNotifyExpired | kNotifyEvicted | kNotifyLoaded | kNotifyNew,
                                on_key);
  return api.RegisterCommandFilter(context, on_command, kFilterNoSelf) ? kOk : kErr;
}
