// OnLoad and OnUnload: the only two symbols the module exports, once under each server's name.
#include <sys/random.h>

#include "module/hooks/hooks.h"
#include "module/publish/publish.h"
#include "server_api/allocator.h"
#include "server_api/nesting.h"

// The C++ runtime keeps memory for exceptions that are thrown when there is none (libsupc++, eh_alloc.cc). We carry our
// own copy of the runtime, so nobody else would free it when we go.
namespace __gnu_cxx {
void __freeres();  // NOLINT(bugprone-reserved-identifier)
}

namespace tenants {

using server_api::api;
using server_api::Context;

Module::Module(Context* ctx, server_api::Server server_, Settings settings_, std::uint64_t seed, bool live)
    : tells_refusals(server_.valkey_at_least(9, 1)),
      users(static_cast<std::size_t>(settings_.max_users)),
      lookups(~seed),
      cpu(UserTable::kFirst + static_cast<std::size_t>(settings_.max_users), behind),
      server(server_),
      settings(std::move(settings_)),
      context(ctx),
      ask(context.get()),
      attribution(users, commands, {.refusals = tells_refusals, .logins = server.valkey_at_least(9, 0)}),
      prefixes(static_cast<std::size_t>(settings.max_prefixes), settings.separators, seed),
      owners(prefixes, users),
      keyspace(prefixes, live, seed),
      names_are_measured(!server.valkey_at_least(8, 1) || server.valkey_at_least(9, 0)),
      sweep(*this, seed) {}

namespace {

// From 8.1.0 until 9.1.1 any subscriber to keyspace events leaves clients in the wrong database after MOVE and COPY …
// DB (valkey #4024): a guest does not subscribe there.
bool can_watch_keys(const server_api::Server& server) {
  if (server.flavour == server_api::Flavour::kRedis) return true;
  return !server.valkey_at_least(8, 1) || server.valkey_at_least(9, 1, 1);
}

int refuse(Context* context, const std::string& why) {
  api.Log(context, "warning", "tenants: not loaded: %s", why.c_str());
  return server_api::kErr;
}

void subscribe(Context* context, std::uint64_t id, server_api::EventCallback callback) {
  api.SubscribeToServerEvent(context, {id, 1}, callback);
}

int load(Context* context, server_api::String** argv, int argc) {
  server_api::Flavour flavour = server_api::load(context);
  if (const char* missing = server_api::missing_required()) {
    if (api.Log)
      api.Log(context, "warning",
              "tenants: not loaded: this server has no module function %s; Valkey 8.0 or Redis 7.2 is needed", missing);
    return server_api::kErr;
  }
  if (api.IsModuleNameBusy("tenants")) return refuse(context, "a module named tenants is loaded already");
  api.SetModuleAttribs(context, "tenants", kVersion, server_api::kApiVersion);
  server_api::Server server{flavour, api.GetServerVersion()};
  int needed = flavour == server_api::Flavour::kValkey ? 0x080000 : 0x070200;
  if (server.version < needed) return refuse(context, "this server is too old; Valkey 8.0 or Redis 7.2 is needed");

  static Settings settings;
  settings = Settings{};
  if (auto wrong = read_arguments(argv, argc, server, settings)) return refuse(context, *wrong);
  if (!register_configuration(context, settings)) return refuse(context, "the tenants.* configuration was refused");

  int options = server_api::kHandleIoErrors | server_api::kHandleReplAsyncLoad;
  if (server.valkey_at_least(9, 0)) options |= server_api::kHandleAtomicSlotMigration;
  api.SetModuleOptions(context, options);

  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = monotonic_usec();
  bool live = can_watch_keys(server);
  auto module = std::make_unique<Module>(context, server, settings, seed, live);
  use_settings(module->settings);
  module->tallies.regroup(*module, module->settings.groups);
  use_named_prefixes(*module);
  module_state = module.get();
  module->loaded_usec = monotonic_usec();
  module->started_unix_msec = module->reset_unix_msec = api.Milliseconds();
  module->rejected_before = module->ask.statistic("rejected_connections").value_or(0);
  auto fail = [&](const char* why) {
    module_state->tick.stop();
    module_state = nullptr;
    return refuse(context, why);
  };
  read_command_table(*module);
  for (const char* needed : {"COMMAND", "INFO", "CLIENT"})
    if (!module->commands.find(needed))
      return fail("the server's COMMAND, INFO and CLIENT are needed under these names, without rename-command");
  server_api::learn_nesting(context);
  if (!server_api::nesting_is_known())
    api.Log(context, "notice", "tenants: calls by modules are told from clients' commands by their ids only");
  read_slow_log_config(*module);
  // Before there are commands in categories that rules name: until the end of OnLoad the server has not worked out anew
  // what users may run, and asserts that it has when it is asked for a user (ACLDescribeSelectorCommandRules).
  if (!(api.GetContextFlags(context) & server_api::kFlagServerStartup)) {
    module->identity.adopt_existing();
    module->acl.go_on(~std::uint64_t{0});
  }
  if (const char* why_not = register_commands(context)) return fail(why_not);
  module->found_keys = !module->ask.databases().value_or(DatabaseSizes()).empty();
  if (live) {
    if (module->found_keys) module->keyspace.request_seeding(false);
    if (!(api.GetContextFlags(context) & server_api::kFlagServerStartup)) learn_imports(*module);
  }
  if (!module->tick.start()) return fail("no timer descriptor could be had");
  if (!api.RegisterCommandFilter(context, on_command, server_api::kFilterNoSelf))
    return fail("the server refused a command filter");
  api.RegisterInfoFunc(context, on_info);
  subscribe(context, server_api::kEventClientChange, on_client_change);
  subscribe(context, server_api::kEventPrimaryLinkChange, on_link_change);
  subscribe(context, server_api::kEventFlushDb, on_flush);
  subscribe(context, server_api::kEventSwapDb, on_swap);
  subscribe(context, server_api::kEventLoading, on_loading);
  subscribe(context, server_api::kEventReplAsyncLoad, on_async_loading);
  subscribe(context, server_api::kEventModuleChange, on_module_change);
  subscribe(context, server_api::kEventConfig, on_config_change);
  // An overwriting SET walks the list of all subscriptions: none that is of no use.
  if (server.valkey_at_least(9, 0)) {
    subscribe(context, server_api::kEventAuthenticationAttempt, on_authentication);
    if (api.GetContextFlags(context) & server_api::kFlagCluster)
      subscribe(context, server_api::kEventAtomicSlotMigration, on_slot_migration);
  }
  if (server.valkey_at_least(9, 1)) {
    subscribe(context, server_api::kEventCommandFailure, on_failed);
    subscribe(context, server_api::kEventCommandRejected, on_rejected);
    subscribe(context, server_api::kEventCommandAclRejected, on_rejected);
  }
  if (live)
    api.SubscribeToKeyspaceEvents(context,
                                  server_api::kNotifyGeneric | server_api::kNotifyExpired | server_api::kNotifyEvicted |
                                      server_api::kNotifyLoaded | server_api::kNotifyNew,
                                  on_key);
  auto hz = static_cast<unsigned>(module->settings.cpu_sampling_hz);
  if (hz > 0 && !module->cpu.start(hz))
    api.Log(context, "warning", "tenants: the system gives no thread or no timer: CPU time per user is not measured");
  if (api.GetContextFlags(context) & server_api::kFlagServerStartup)
    module->allocated_at_start = server_api::allocated_bytes();
  (void)module.release();  // on_unload deletes it
  return server_api::kOk;
}

int on_load(Context* context, server_api::String** argv, int argc) noexcept {
  int result = server_api::kErr;
  try {
    result = load(context, argv, argc);
  } catch (...) {
    if (api.Log) api.Log(context, "warning", "tenants: not loaded: out of memory");
  }
  if (result != server_api::kOk) __gnu_cxx::__freeres();  // nobody calls on_unload then
  return result;
}

int on_unload(Context* context) noexcept {
  if (const char* why = why_not_unloaded(*module_state)) {
    api.Log(context, "warning", "tenants: not unloaded: %s", why);
    return server_api::kErr;
  }
  module_state->tick.stop();
  delete module_state;
  module_state = nullptr;
  free_configuration();
  __gnu_cxx::__freeres();
  return server_api::kOk;
}

}  // namespace
}  // namespace tenants

#define TENANTS_EXPORT extern "C" __attribute__((visibility("default")))

TENANTS_EXPORT int ValkeyModule_OnLoad(server_api::Context* context, server_api::String** argv, int argc) {
  return tenants::on_load(context, argv, argc);
}
TENANTS_EXPORT int RedisModule_OnLoad(server_api::Context* context, server_api::String** argv, int argc) {
  return tenants::on_load(context, argv, argc);
}
TENANTS_EXPORT int ValkeyModule_OnUnload(server_api::Context* context) { return tenants::on_unload(context); }
TENANTS_EXPORT int RedisModule_OnUnload(server_api::Context* context) { return tenants::on_unload(context); }
