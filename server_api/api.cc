#include "server_api/api.h"

namespace server_api {
namespace {

using GetApi = int (*)(const char* name, void* target);

template <typename Function>
bool find(GetApi get, const char* name, Function& target) {
  return get(name, &target) == kOk;
}

}  // namespace

Flavour load(Context* context) {
  // The first field of a context is the look-up function: the one piece of layout the API guarantees.
  auto get = reinterpret_cast<GetApi>(*reinterpret_cast<void**>(context));
  Flavour flavour = Flavour::kRedis;
#define X(required, result, name, parameters)          \
  if (find(get, "ValkeyModule_" #name, api.name))      \
    flavour = Flavour::kValkey;                        \
  else if (!find(get, "RedisModule_" #name, api.name)) \
    api.name = nullptr;
  SERVER_API_FUNCTIONS(X)
#undef X
  return flavour;
}

const char* missing_required() {
#define X(required, result, name, parameters) \
  if (required && !api.name) return #name;
  SERVER_API_FUNCTIONS(X)
#undef X
  return nullptr;
}

}  // namespace server_api
