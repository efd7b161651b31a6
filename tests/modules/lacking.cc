// A module for the integration tests: another one, as it is on a server that lacks functions of the module API.
//
//   loadmodule lacking.so <path of the other> [without:<function> | failing:<function>] ...
//
// without: the server does not have the function. failing: SetCommandACLCategories, which answers that it failed.
#include <dlfcn.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server_api/api.h"
#include "server_api/call.h"

// What this module's own copy of the C++ runtime keeps is no leak of ours (module/main.cc).
namespace __gnu_cxx {
void __freeres();  // NOLINT(bugprone-reserved-identifier)
}

namespace {

using server_api::Context;
using server_api::String;

using GetApi = int (*)(const char* name, void* target);

void* other = nullptr;
GetApi server_get = nullptr;
std::vector<std::string> lacking;

bool lacks(std::string_view how, std::string_view name) {
  return std::ranges::find(lacking, std::string(how) + std::string(name)) != lacking.end();
}

int fail(server_api::Command*, const char*) { return server_api::kErr; }

int get(const char* name, void* target) {
  std::string_view bare = name;
  bare.remove_prefix(bare.find('_') + 1);
  if (lacks("without:", bare)) return server_api::kErr;
  int found = server_get(name, target);
  if (found == server_api::kOk && bare == "SetCommandACLCategories" && lacks("failing:", bare))
    *static_cast<decltype(fail)**>(target) = fail;
  return found;
}

template <typename... Arguments>
int call(const char* name, Arguments... arguments) {
  auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(other, name));
  return function ? function(arguments...) : server_api::kErr;
}

// Nothing of ours may outlive us, and the server does not ask who has failed to load.
void forget() {
  dlclose(other);
  std::vector<std::string>().swap(lacking);
  __gnu_cxx::__freeres();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int ValkeyModule_OnLoad(Context* context, String** argv, int argc) {
  server_api::load(context);
  if (argc < 1) return server_api::kErr;
  other = dlopen(std::string(server_api::view(argv[0])).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!other) return server_api::kErr;
  for (String* word : std::span(argv + 1, argv + argc)) lacking.emplace_back(server_api::view(word));
  // The first field of a context is the look-up function.
  void*& look_up = *reinterpret_cast<void**>(context);
  server_get = reinterpret_cast<GetApi>(look_up);
  look_up = reinterpret_cast<void*>(get);
  int result = call("ValkeyModule_OnLoad", context, static_cast<String**>(nullptr), 0);
  look_up = reinterpret_cast<void*>(server_get);
  if (result != server_api::kOk) forget();
  return result;
}

extern "C" __attribute__((visibility("default"))) int ValkeyModule_OnUnload(Context* context) {
  int result = call("ValkeyModule_OnUnload", context);
  if (result == server_api::kOk) forget();
  return result;
}

extern "C" __attribute__((visibility("default"))) int RedisModule_OnLoad(Context* context, String** argv, int argc) {
  return ValkeyModule_OnLoad(context, argv, argc);
}

extern "C" __attribute__((visibility("default"))) int RedisModule_OnUnload(Context* context) {
  return ValkeyModule_OnUnload(context);
}
