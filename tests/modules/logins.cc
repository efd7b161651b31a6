// A module for the integration tests: it logs clients in as another ACL user than they name, and runs commands itself.
//
//   AUTH anybody as:app1      the client is app1 at once
//   AUTH anybody later:app1   ... after LOGINS.RELEASE, which a thread of the module tells the server
//   LOGINS.RELEASE            lets in all who wait; replies how many
//   LOGINS.BECOME app1        the caller is app1, without AUTH
//   LOGINS.RUN word ...       runs a command by RM_Call, and replies what it replied
//   LOGINS.READ word ...      the same, as a command that reads
//   LOGINS.RUN_LATER word ... ... by itself, from a timer
//   LOGINS.RUN_BEHIND word ... blocks the caller, runs the command in a thread, and replies what it replied
//   LOGINS.YIELD file [clients]  RM_Yield until the file is there: other clients' commands wait, or get BUSY
#include <unistd.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server_api/api.h"
#include "server_api/call.h"

struct ValkeyModuleBlockedClient;

// What this module's own copy of the C++ runtime keeps is no leak of ours (module/main.cc).
namespace __gnu_cxx {
void __freeres();  // NOLINT(bugprone-reserved-identifier)
}

namespace {

using server_api::api;
using server_api::Context;
using server_api::String;
using server_api::view;

constexpr int kHandled = 0;
constexpr int kNotHandled = 1;

using BlockedClient = ValkeyModuleBlockedClient;
using AuthCallback = int (*)(Context*, String* user, String* password, String** error);

// What tenants.so does not use of the API.
struct {
  void (*RegisterAuthCallback)(Context*, AuthCallback);
  BlockedClient* (*BlockClientOnAuth)(Context*, AuthCallback reply, void (*free_data)(Context*, void*));
  int (*UnblockClient)(BlockedClient*, void* data);
  int (*ReplyWithCallReply)(Context*, server_api::CallReply*);
  BlockedClient* (*BlockClient)(Context*, int (*reply)(Context*, String**, int),
                                int (*timeout)(Context*, String**, int), void (*free_data)(Context*, void*),
                                long long msec);
  Context* (*GetThreadSafeContext)(BlockedClient*);
  void (*ThreadSafeContextLock)(Context*);
  void (*ThreadSafeContextUnlock)(Context*);
  std::uint64_t (*CreateTimer)(Context*, long long msec, void (*)(Context*, void* data), void* data);
  int (*AuthenticateClientWithACLUser)(Context*, const char* name, std::size_t size,
                                       void (*on_change)(std::uint64_t id, void* data), void* data, std::uint64_t* id);
  void (*Yield)(Context*, int flags, const char* busy_reply);
} more;

std::vector<BlockedClient*> waiting;

// Under either server's name, as in server_api/api.cc.
template <typename Function>
bool find(Context* context, const std::string& name, Function& target) {
  auto get = reinterpret_cast<int (*)(const char*, void*)>(*reinterpret_cast<void**>(context));
  return get(("ValkeyModule_" + name).c_str(), &target) == server_api::kOk ||
         get(("RedisModule_" + name).c_str(), &target) == server_api::kOk;
}

// The callback, which is never needed, makes the login ours: it ends with this module.
int log_in(Context* context, std::string_view name) {
  return more.AuthenticateClientWithACLUser(
      context, name.data(), name.size(), [](std::uint64_t, void*) {}, nullptr, nullptr);
}

constexpr std::string_view kNow = "as:", kLater = "later:";

int on_release(Context* context, String*, String* password, String**) {
  log_in(context, view(password).substr(kLater.size()));
  return kHandled;
}

int on_auth(Context* context, String*, String* password, String**) {
  if (view(password).starts_with(kNow)) {
    log_in(context, view(password).substr(kNow.size()));
    return kHandled;
  }
  if (!view(password).starts_with(kLater)) return kNotHandled;
  waiting.push_back(more.BlockClientOnAuth(context, on_release, nullptr));
  return kHandled;
}

int release(Context* context, String**, int) {
  std::thread([] {
    for (BlockedClient* client : waiting) more.UnblockClient(client, nullptr);
  }).join();
  api.ReplyWithLongLong(context, static_cast<long long>(waiting.size()));
  waiting.clear();
  return server_api::kOk;
}

int become(Context* context, String** argv, int argc) {
  if (argc != 2) return api.WrongArity(context);
  if (log_in(context, view(argv[1])) != server_api::kOk) return api.ReplyWithError(context, "ERR no such user");
  return api.ReplyWithSimpleString(context, "OK");
}

server_api::Reply call(Context* context, String** words, int count) {
  return server_api::Reply(
      api.Call(context, view(words[0]).data(), "Ev", words + 1, static_cast<std::size_t>(count - 1)));
}

int run(Context* context, String** argv, int argc) {
  if (argc < 2) return api.WrongArity(context);
  return more.ReplyWithCallReply(context, call(context, argv + 1, argc - 1).get());
}

using Words = std::vector<String*>;

void on_timer(Context* context, void* data) {
  std::unique_ptr<Words> words(static_cast<Words*>(data));
  call(context, words->data(), static_cast<int>(words->size()));
  for (String* word : *words) api.FreeString(nullptr, word);
}

int run_later(Context* context, String** argv, int argc) {
  if (argc < 2) return api.WrongArity(context);
  auto words = std::make_unique<Words>();
  for (String* word : std::span(argv + 1, argv + argc))
    words->push_back(api.CreateString(nullptr, view(word).data(), view(word).size()));
  more.CreateTimer(context, 1, on_timer, words.release());
  return api.ReplyWithSimpleString(context, "OK");
}

// The context of the blocked client takes a client out of the server's pool, and gives it back with the caller's id.
int run_behind(Context* context, String** argv, int argc) {
  if (argc < 2) return api.WrongArity(context);
  Words words;
  for (String* word : std::span(argv + 1, argv + argc))
    words.push_back(api.CreateString(nullptr, view(word).data(), view(word).size()));
  BlockedClient* blocked = more.BlockClient(context, nullptr, nullptr, nullptr, 0);
  std::thread([blocked, words]() mutable {
    Context* own = more.GetThreadSafeContext(blocked);
    more.ThreadSafeContextLock(own);
    more.ReplyWithCallReply(own, call(own, words.data(), static_cast<int>(words.size())).get());
    for (String* word : words) api.FreeString(nullptr, word);
    api.FreeThreadSafeContext(own);
    more.UnblockClient(blocked, nullptr);
    more.ThreadSafeContextUnlock(own);
  }).detach();
  return server_api::kOk;
}

int yield(Context* context, String** argv, int argc) {
  constexpr int kNone = 1, kClients = 2;
  if (argc < 2) return api.WrongArity(context);
  std::string file(view(argv[1]));
  while (access(file.c_str(), F_OK) != 0) {
    more.Yield(context, argc > 2 ? kClients : kNone, "yielding");
    usleep(1000);
  }
  return api.ReplyWithSimpleString(context, "OK");
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int ValkeyModule_OnLoad(Context* context, String**, int) {
  server_api::load(context);
  api.SetModuleAttribs(context, "logins", 1, server_api::kApiVersion);
  bool found = find(context, "RegisterAuthCallback", more.RegisterAuthCallback) &&
               find(context, "BlockClientOnAuth", more.BlockClientOnAuth) &&
               find(context, "UnblockClient", more.UnblockClient) &&
               find(context, "ReplyWithCallReply", more.ReplyWithCallReply) &&
               find(context, "BlockClient", more.BlockClient) &&
               find(context, "GetThreadSafeContext", more.GetThreadSafeContext) &&
               find(context, "ThreadSafeContextLock", more.ThreadSafeContextLock) &&
               find(context, "ThreadSafeContextUnlock", more.ThreadSafeContextUnlock) &&
               find(context, "CreateTimer", more.CreateTimer) && find(context, "Yield", more.Yield) &&
               find(context, "AuthenticateClientWithACLUser", more.AuthenticateClientWithACLUser);
  if (!found) return server_api::kErr;
  api.CreateCommand(context, "logins.release", release, "", 0, 0, 0);
  api.CreateCommand(context, "logins.become", become, "", 0, 0, 0);
  api.CreateCommand(context, "logins.run", run, "", 0, 0, 0);
  api.CreateCommand(context, "logins.read", run, "readonly", 0, 0, 0);
  api.CreateCommand(context, "logins.run_behind", run_behind, "", 0, 0, 0);
  api.CreateCommand(context, "logins.run_later", run_later, "", 0, 0, 0);
  api.CreateCommand(context, "logins.yield", yield, "", 0, 0, 0);
  more.RegisterAuthCallback(context, on_auth);
  return server_api::kOk;
}

extern "C" __attribute__((visibility("default"))) int ValkeyModule_OnUnload(Context*) {
  __gnu_cxx::__freeres();
  return server_api::kOk;
}

extern "C" __attribute__((visibility("default"))) int RedisModule_OnLoad(Context* context, String** argv, int argc) {
  return ValkeyModule_OnLoad(context, argv, argc);
}

extern "C" __attribute__((visibility("default"))) int RedisModule_OnUnload(Context* context) {
  return ValkeyModule_OnUnload(context);
}
