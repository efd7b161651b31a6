// A module for test_upstream.py: it does what a module may, and what servers then do wrong (docs/upstream.md).
//
//   loadmodule upstream.so <word> ...
//
//   filter-log        its command filter writes to the log who sends what
//   filter-open       its command filter opens the key
//   notify            it subscribes to notifications about keys, and does nothing
//   notify-client     ... and asks for the client
//   notify-database   ... and writes to the log which one, which key, and the database
//   success, failure  it listens to CommandResultSuccess, CommandResultFailure, and does nothing
//   success-client    ... and asks for the client
//   key, key-lookups  it listens to the event KEY, and does nothing, or opens other keys
//   info              it has a section of INFO
//
//   UPSTREAM.HELLO         OK
//   UPSTREAM.EVENTS        what IsSubEventSupported says of the events 17 to 22
//   UPSTREAM.SIMPLE text   the text as a simple string
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "server_api/api.h"
#include "server_api/call.h"

// What this module's own copy of the C++ runtime keeps is no leak of ours (module/main.cc).
namespace __gnu_cxx {
void __freeres();  // NOLINT(bugprone-reserved-identifier)
}

namespace {

using server_api::api;
using server_api::ClientInfo;
using server_api::Context;
using server_api::Event;
using server_api::FilterContext;
using server_api::String;
using server_api::view;

constexpr std::uint64_t kEventKey = 17, kEventCommandSuccess = 20;
constexpr std::uint64_t kKeyOverwritten = 3;

Context* own = nullptr;
server_api::Filter* filter = nullptr;
int (*is_sub_event_supported)(Event, std::int64_t) = nullptr;

void ask_for_client(std::uint64_t id) {
  ClientInfo info{.version = 1};
  api.GetClientInfoById(&info, id);
}

void log_command(FilterContext* context) {
  api.Log(own, "warning", "filter: client %llu sends %s", api.CommandFilterGetClientId(context),
          std::string(view(api.CommandFilterArgGet(context, 0))).c_str());
}

void open_key(FilterContext* context) {
  constexpr int kRead = 1;
  if (api.CommandFilterArgsCount(context) < 2) return;
  if (auto* key = api.OpenKey(own, api.CommandFilterArgGet(context, 1), kRead)) api.CloseKey(key);
}

int ignore_key(Context*, int, const char*, String*) { return server_api::kOk; }

int ask_for_client_of_key(Context* context, int, const char*, String*) {
  ask_for_client(api.GetClientId(context));
  return server_api::kOk;
}

int log_key(Context* context, int, const char* event, String* key) {
  api.Log(context, "warning", "notified: %s %s db %d", event, std::string(view(key)).c_str(),
          api.GetSelectedDb(context));
  return server_api::kOk;
}

void ignore_event(Context*, Event, std::uint64_t, void*) {}

void ask_for_client_of_command(Context*, Event, std::uint64_t, void* data) {
  ask_for_client(static_cast<server_api::CommandResultInfo*>(data)->client_id);
}

void look_keys_up(Context* context, Event, std::uint64_t what, void*) {
  static std::minstd_rand random;  // NOLINT: the same each time
  if (what != kKeyOverwritten) return;
  for (int i = 0; i < 20; ++i) {
    std::string name = "k" + std::to_string(random() % 20'000);
    String* string = api.CreateString(context, name.data(), name.size());
    if (auto* key = api.OpenKey(context, string, 1)) api.CloseKey(key);
    api.FreeString(context, string);
  }
}

void tell_info(server_api::InfoContext* info, int) {
  api.InfoAddSection(info, "text");
  api.InfoAddFieldCString(info, "name", "me\r\nused_memory:1");
}

int hello(Context* context, String**, int) { return api.ReplyWithSimpleString(context, "OK"); }

int tell_events(Context* context, String**, int) {
  api.ReplyWithArray(context, 6);
  for (std::uint64_t id = 17; id < 23; ++id) api.ReplyWithLongLong(context, is_sub_event_supported({id, 1}, 0));
  return server_api::kOk;
}

int reply_simple(Context* context, String** argv, int argc) {
  return argc == 2 ? api.ReplyWithSimpleString(context, std::string(view(argv[1])).c_str()) : api.WrongArity(context);
}

void listen(Context* context, std::uint64_t id, server_api::EventCallback callback) {
  api.SubscribeToServerEvent(context, {id, 1}, callback);
}

void subscribe(Context* context, server_api::NotificationFunction callback) {
  api.SubscribeToKeyspaceEvents(
      context, server_api::kNotifyGeneric | server_api::kNotifyNew | server_api::kNotifyExpired, callback);
}

bool begin(Context* context, std::string_view what) {
  if (what == "filter-log")
    filter = api.RegisterCommandFilter(context, log_command, 0);
  else if (what == "filter-open")
    filter = api.RegisterCommandFilter(context, open_key, server_api::kFilterNoSelf);
  else if (what == "notify")
    subscribe(context, ignore_key);
  else if (what == "notify-client")
    subscribe(context, ask_for_client_of_key);
  else if (what == "notify-database")
    subscribe(context, log_key);
  else if (what == "success")
    listen(context, kEventCommandSuccess, ignore_event);
  else if (what == "success-client")
    listen(context, kEventCommandSuccess, ask_for_client_of_command);
  else if (what == "failure")
    listen(context, server_api::kEventCommandFailure, ignore_event);
  else if (what == "key")
    listen(context, kEventKey, ignore_event);
  else if (what == "key-lookups")
    listen(context, kEventKey, look_keys_up);
  else if (what == "info")
    api.RegisterInfoFunc(context, tell_info);
  else
    return false;
  return true;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int ValkeyModule_OnLoad(Context* context, String** argv, int argc) {
  server_api::load(context);
  api.SetModuleAttribs(context, "upstream", 1, server_api::kApiVersion);
  own = api.GetDetachedThreadSafeContext(context);
  auto get = reinterpret_cast<int (*)(const char*, void*)>(*reinterpret_cast<void**>(context));
  if (get("ValkeyModule_IsSubEventSupported", &is_sub_event_supported) != server_api::kOk) return server_api::kErr;
  api.SetModuleOptions(
      context, server_api::kHandleIoErrors | server_api::kHandleReplAsyncLoad | server_api::kHandleAtomicSlotMigration);
  api.CreateCommand(context, "upstream.hello", hello, "", 0, 0, 0);
  api.CreateCommand(context, "upstream.events", tell_events, "", 0, 0, 0);
  api.CreateCommand(context, "upstream.simple", reply_simple, "", 0, 0, 0);
  for (int i = 0; i < argc; ++i)
    if (!begin(context, view(argv[i]))) return server_api::kErr;
  return server_api::kOk;
}

extern "C" __attribute__((visibility("default"))) int ValkeyModule_OnUnload(Context* context) {
  if (filter) api.UnregisterCommandFilter(context, filter);
  api.FreeThreadSafeContext(own);
  __gnu_cxx::__freeres();
  return server_api::kOk;
}
