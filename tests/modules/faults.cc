// A module of the tests that is wrong on purpose, one fault per command: whoever runs it under a sanitizer must hear of
// it. Only test_sanitizers.py loads it.
//
//   FAULTS.OVERFLOW    writes one byte past the end of an allocation        (address)
//   FAULTS.USE_FREED   reads what was freed                                (address)
//   FAULTS.LEAK        forgets an allocation                               (address: at the end of the process)
//   FAULTS.ADD         the largest integer plus one                        (undefined)
//   FAULTS.RACE        two threads write the same integer                  (thread)
#include <cstdlib>
#include <limits>
#include <thread>

#include "server_api/api.h"

// What this module's own copy of the C++ runtime keeps is no leak of ours (module/main.cc).
namespace __gnu_cxx {
void __freeres();  // NOLINT(bugprone-reserved-identifier)
}

namespace {

using server_api::api;
using server_api::Context;
using server_api::String;

// Nothing of it is known to the compiler, which would else leave the fault out.
volatile int one = 1;

int done(Context* context) { return api.ReplyWithSimpleString(context, "OK"); }

int overflow(Context* context, String**, int) {
  auto* bytes = static_cast<volatile char*>(api.TryAlloc(16));
  bytes[15 + one] = 1;
  api.Free(const_cast<char*>(bytes));
  return done(context);
}

int use_freed(Context* context, String**, int) {
  auto* bytes = static_cast<volatile char*>(api.TryAlloc(16));
  bytes[0] = 1;
  api.Free(const_cast<char*>(bytes));
  one = bytes[one - 1];  // NOLINT: the fault
  return done(context);
}

int leak(Context* context, String**, int) {
  auto* forgotten = static_cast<volatile char*>(api.TryAlloc(1000));
  forgotten[0] = 1;
  return done(context);  // NOLINT: the fault
}

int add(Context* context, String**, int) {
  int sum = std::numeric_limits<int>::max();
  sum += one;
  return api.ReplyWithLongLong(context, sum);
}

int race(Context* context, String**, int) {
  volatile long long count = 0;
  auto work = [&count] {
    for (int i = 0; i < 100'000; ++i) count = count + 1;
  };
  std::thread first(work), second(work);
  first.join(), second.join();
  return api.ReplyWithLongLong(context, count);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int ValkeyModule_OnLoad(Context* context, String**, int) {
  server_api::load(context);
  api.SetModuleAttribs(context, "faults", 1, server_api::kApiVersion);
  api.CreateCommand(context, "faults.overflow", overflow, "", 0, 0, 0);
  api.CreateCommand(context, "faults.use_freed", use_freed, "", 0, 0, 0);
  api.CreateCommand(context, "faults.leak", leak, "", 0, 0, 0);
  api.CreateCommand(context, "faults.add", add, "", 0, 0, 0);
  api.CreateCommand(context, "faults.race", race, "", 0, 0, 0);
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
