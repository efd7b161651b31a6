// The floor of whatever counts commands in a filter: one that does nothing. Loaded by benchmarks only.
#include "server_api/api.h"

namespace {

void on_command(server_api::FilterContext*) noexcept {}

}  // namespace

extern "C" [[gnu::visibility("default")]] int ValkeyModule_OnLoad(server_api::Context* context, server_api::String**,
                                                                  int) {
  server_api::load(context);
  server_api::api.SetModuleAttribs(context, "empty", 1, server_api::kApiVersion);
  if (!server_api::api.RegisterCommandFilter(context, on_command, server_api::kFilterNoSelf)) return server_api::kErr;
  return server_api::kOk;
}
