// The functions of the module API that we use, each a typed pointer under its official name: api.Scan(...).
//
// load() fills them in once, in OnLoad: ValkeyModule_<name> first, RedisModule_<name> where a server only has that.
// What a server lacks is null; missing_required() names the first one without which we refuse to load.
#pragma once

#include "server_api/types.h"

namespace server_api {

// X(required, result, name, (parameters)). The first ones share a cache line: the filter calls them for every command.
#define SERVER_API_FUNCTIONS(X)                                                                                 \
  X(true, unsigned long long, CommandFilterGetClientId, (FilterContext*))                                       \
  X(true, String*, CommandFilterArgGet, (FilterContext*, int))                                                  \
  X(true, const char*, StringPtrLen, (const String*, std::size_t*))                                             \
  X(true, int, CommandFilterArgsCount, (FilterContext*))                                                        \
  X(true, void*, TryAlloc, (std::size_t))                                                                       \
  X(true, void, Free, (void*))                                                                                  \
  X(true, std::size_t, MallocSize, (void*))                                                                     \
  X(true, float, GetUsedMemoryRatio, ())                                                                        \
  X(true, void, SetModuleAttribs, (Context*, const char*, int, int))                                            \
  X(true, int, IsModuleNameBusy, (const char*))                                                                 \
  X(true, void, SetModuleOptions, (Context*, int))                                                              \
  X(true, int, GetServerVersion, ())                                                                            \
  X(true, int*, GetCommandKeys, (Context*, String**, int, int*))                                                \
  X(true, int*, GetCommandKeysWithFlags, (Context*, String**, int, int*, int**))                                \
  X(true, int, GetContextFlags, (Context*))                                                                     \
  X(true, void, Log, (Context*, const char*, const char*, ...))                                                 \
  X(true, int, CreateCommand, (Context*, const char*, CommandFunction, const char*, int, int, int))             \
  X(true, Command*, GetCommand, (Context*, const char*))                                                        \
  X(true, int, SetCommandInfo, (Command*, const CommandInfo*))                                                  \
  X(true, int, SetCommandACLCategories, (Command*, const char*))                                                \
  X(false, int, AddACLCategory, (Context*, const char*))                                                        \
  X(true, int, WrongArity, (Context*))                                                                          \
  X(true, int, ReplyWithError, (Context*, const char*))                                                         \
  X(true, int, ReplyWithLongLong, (Context*, long long))                                                        \
  X(true, int, ReplyWithDouble, (Context*, double))                                                             \
  X(true, int, ReplyWithArray, (Context*, long))                                                                \
  X(true, int, ReplyWithMap, (Context*, long))                                                                  \
  X(true, void, ReplySetArrayLength, (Context*, long))                                                          \
  X(true, void, ReplySetMapLength, (Context*, long))                                                            \
  X(true, int, ReplyWithSimpleString, (Context*, const char*))                                                  \
  X(true, int, ReplyWithStringBuffer, (Context*, const char*, std::size_t))                                     \
  X(true, String*, CreateString, (Context*, const char*, std::size_t))                                          \
  X(true, void, FreeString, (Context*, String*))                                                                \
  X(true, Filter*, RegisterCommandFilter, (Context*, FilterFunction, int))                                      \
  X(true, int, UnregisterCommandFilter, (Context*, Filter*))                                                    \
  X(true, int, GetClientInfoById, (void*, std::uint64_t))                                                       \
  X(true, long long, Milliseconds, ())                                                                          \
  X(true, unsigned long long, GetClientId, (Context*))                                                          \
  X(true, String*, GetClientUserNameById, (Context*, std::uint64_t))                                            \
  X(true, int, SubscribeToServerEvent, (Context*, Event, EventCallback))                                        \
  X(true, int, SubscribeToKeyspaceEvents, (Context*, int, NotificationFunction))                                \
  X(true, CallReply*, Call, (Context*, const char*, const char*, ...))                                          \
  X(true, int, CallReplyType, (CallReply*))                                                                     \
  X(true, std::size_t, CallReplyLength, (CallReply*))                                                           \
  X(true, CallReply*, CallReplyArrayElement, (CallReply*, std::size_t))                                         \
  X(true, long long, CallReplyInteger, (CallReply*))                                                            \
  X(true, const char*, CallReplyStringPtr, (CallReply*, std::size_t*))                                          \
  X(true, void, FreeCallReply, (CallReply*))                                                                    \
  X(true, ScanCursor*, ScanCursorCreate, ())                                                                    \
  X(true, void, ScanCursorDestroy, (ScanCursor*))                                                               \
  X(true, void, ScanCursorRestart, (ScanCursor*))                                                               \
  X(true, int, Scan, (Context*, ScanCursor*, ScanCallback, void*))                                              \
  X(true, Key*, OpenKey, (Context*, String*, int))                                                              \
  X(true, void, CloseKey, (Key*))                                                                               \
  X(true, int, KeyType, (Key*))                                                                                 \
  X(true, std::size_t, ValueLength, (Key*))                                                                     \
  X(true, long long, GetExpire, (Key*))                                                                         \
  X(true, long long, GetAbsExpire, (Key*))                                                                      \
  X(true, int, SelectDb, (Context*, int))                                                                       \
  X(true, int, GetSelectedDb, (Context*))                                                                       \
  X(true, unsigned long long, DbSize, (Context*))                                                               \
  X(true, Context*, GetDetachedThreadSafeContext, (Context*))                                                   \
  X(true, void, FreeThreadSafeContext, (Context*))                                                              \
  X(true, int, RegisterInfoFunc, (Context*, InfoFunction))                                                      \
  X(true, int, InfoAddSection, (InfoContext*, const char*))                                                     \
  X(true, int, InfoBeginDictField, (InfoContext*, const char*))                                                 \
  X(true, int, InfoEndDictField, (InfoContext*))                                                                \
  X(true, int, InfoAddFieldCString, (InfoContext*, const char*, const char*))                                   \
  X(true, int, InfoAddFieldULongLong, (InfoContext*, const char*, unsigned long long))                          \
  X(true, int, RegisterNumericConfig,                                                                           \
    (Context*, const char*, long long, unsigned, long long, long long, GetNumericFunction, SetNumericFunction,  \
     ApplyFunction, void*))                                                                                     \
  X(true, int, RegisterStringConfig,                                                                            \
    (Context*, const char*, const char*, unsigned, GetStringFunction, SetStringFunction, ApplyFunction, void*)) \
  X(true, int, LoadConfigs, (Context*))                                                                         \
  X(true, int, EventLoopAdd, (int, int, EventLoopFunction, void*))                                              \
  X(true, int, EventLoopDel, (int, int))

struct alignas(64) Api {
#define X(required, result, name, parameters) result(*name) parameters = nullptr;
  SERVER_API_FUNCTIONS(X)
#undef X
};

inline constinit Api api{};

enum class Flavour { kValkey, kRedis };

struct Server {
  Flavour flavour;
  int version;  // 0x00MMmmpp, not comparable across flavours

  bool valkey_at_least(int major, int minor, int patch = 0) const {
    return flavour == Flavour::kValkey && version >= (major << 16 | minor << 8 | patch);
  }
};

// Looks every function up. Called once, in OnLoad, before anything else.
Flavour load(Context* context);

// The name of a required function that this server lacks, or null.
const char* missing_required();

}  // namespace server_api
