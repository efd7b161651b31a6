// Our binding against the official valkeymodule.h: it compiles if and only if every type, constant, size and offset
// agrees.
//
//     c++ -std=c++20 -fsyntax-only -I. -I"$(scripts/servers --header 9)" server_api/binding_test.cc
//
// What a header is too old to have is left to the newest one, which `make test` takes as well.
#include <cstddef>
#include <type_traits>

#include "server_api/api.h"
#include "valkeymodule.h"

#pragma GCC diagnostic ignored "-Wignored-attributes"  // printf formats

namespace server_api {
namespace {

// A type of ours, with each of our structures replaced by the official one.
template <typename T>
struct Official {
  using type = T;
};
template <typename T>
using official = typename Official<T>::type;
template <typename T>
struct Official<T*> {
  using type = official<T>*;
};
template <typename T>
struct Official<const T> {
  using type = const official<T>;
};
template <typename Result, typename... Arguments>
struct Official<Result(Arguments...)> {
  using type = official<Result>(official<Arguments>...);
};
template <typename Result, typename... Arguments>
struct Official<Result(Arguments..., ...)> {
  using type = official<Result>(official<Arguments>..., ...);
};
template <>
struct Official<Event> {
  using type = ValkeyModuleEvent;
};
template <>
struct Official<CommandInfo> {
  using type = ValkeyModuleCommandInfo;
};

#define X(required, result, name, parameters) \
  static_assert(std::is_same_v<official<decltype(Api::name)>, decltype(ValkeyModule_##name)>, #name);
SERVER_API_FUNCTIONS(X)
#undef X

#define SAME(ours, theirs) static_assert((ours) == (theirs), #theirs)
SAME(kOk, VALKEYMODULE_OK);
SAME(kErr, VALKEYMODULE_ERR);
SAME(kApiVersion, VALKEYMODULE_APIVER_1);
SAME(kHandleIoErrors, VALKEYMODULE_OPTIONS_HANDLE_IO_ERRORS);
SAME(kHandleReplAsyncLoad, VALKEYMODULE_OPTIONS_HANDLE_REPL_ASYNC_LOAD);
SAME(kFilterNoSelf, VALKEYMODULE_CMDFILTER_NOSELF);
SAME(kNotifyGeneric, VALKEYMODULE_NOTIFY_GENERIC);
SAME(kNotifyExpired, VALKEYMODULE_NOTIFY_EXPIRED);
SAME(kNotifyEvicted, VALKEYMODULE_NOTIFY_EVICTED);
SAME(kNotifyLoaded, VALKEYMODULE_NOTIFY_LOADED);
SAME(kNotifyNew, VALKEYMODULE_NOTIFY_NEW);
SAME(kFlagLua, VALKEYMODULE_CTX_FLAGS_LUA);
SAME(kFlagMulti, VALKEYMODULE_CTX_FLAGS_MULTI);
SAME(kFlagCluster, VALKEYMODULE_CTX_FLAGS_CLUSTER);
SAME(kFlagLoading, VALKEYMODULE_CTX_FLAGS_LOADING);
SAME(kFlagAsyncLoading, VALKEYMODULE_CTX_FLAGS_ASYNC_LOADING);
SAME(kFlagServerStartup, VALKEYMODULE_CTX_FLAGS_SERVER_STARTUP);
SAME(kReplyString, VALKEYMODULE_REPLY_STRING);
SAME(kReplyInteger, VALKEYMODULE_REPLY_INTEGER);
SAME(kReplyArray, VALKEYMODULE_REPLY_ARRAY);
SAME(kReplyNull, VALKEYMODULE_REPLY_NULL);
SAME(kOpenKeyUnnoticed, VALKEYMODULE_READ | VALKEYMODULE_OPEN_KEY_NOTOUCH | VALKEYMODULE_OPEN_KEY_NONOTIFY |
                            VALKEYMODULE_OPEN_KEY_NOSTATS | VALKEYMODULE_OPEN_KEY_NOEXPIRE);
SAME(kKeyAccess, VALKEYMODULE_CMD_KEY_ACCESS);
SAME(kKeyWrites, VALKEYMODULE_CMD_KEY_UPDATE | VALKEYMODULE_CMD_KEY_INSERT | VALKEYMODULE_CMD_KEY_DELETE);
SAME(kKeyTypeString, VALKEYMODULE_KEYTYPE_STRING);
SAME(kKeyTypeList, VALKEYMODULE_KEYTYPE_LIST);
SAME(kKeyTypeStream, VALKEYMODULE_KEYTYPE_STREAM);
SAME(kConfigDefault, VALKEYMODULE_CONFIG_DEFAULT);
SAME(kEventLoopReadable, VALKEYMODULE_EVENTLOOP_READABLE);
SAME(kEventFlushDb, VALKEYMODULE_EVENT_FLUSHDB);
SAME(kEventLoading, VALKEYMODULE_EVENT_LOADING);
SAME(kEventClientChange, VALKEYMODULE_EVENT_CLIENT_CHANGE);
SAME(kEventPrimaryLinkChange, VALKEYMODULE_EVENT_PRIMARY_LINK_CHANGE);
SAME(kEventModuleChange, VALKEYMODULE_EVENT_MODULE_CHANGE);
SAME(kEventSwapDb, VALKEYMODULE_EVENT_SWAPDB);
SAME(kEventReplAsyncLoad, VALKEYMODULE_EVENT_REPL_ASYNC_LOAD);
SAME(kEventConfig, VALKEYMODULE_EVENT_CONFIG);
SAME(kFlushDbStart, VALKEYMODULE_SUBEVENT_FLUSHDB_START);
SAME(kLoadingReplStart, VALKEYMODULE_SUBEVENT_LOADING_REPL_START);
SAME(kLoadingEnded, VALKEYMODULE_SUBEVENT_LOADING_ENDED);
SAME(kModuleUnloaded, VALKEYMODULE_SUBEVENT_MODULE_UNLOADED);
SAME(kClientConnected, VALKEYMODULE_SUBEVENT_CLIENT_CHANGE_CONNECTED);
SAME(kReplAsyncLoadStarted, VALKEYMODULE_SUBEVENT_REPL_ASYNC_LOAD_STARTED);
SAME(kReplAsyncLoadCompleted, VALKEYMODULE_SUBEVENT_REPL_ASYNC_LOAD_COMPLETED);
SAME(kClientBlocked, VALKEYMODULE_CLIENTINFO_FLAG_BLOCKED);
SAME(kClientInMulti, VALKEYMODULE_CLIENTINFO_FLAG_MULTI);
SAME(kArgString, VALKEYMODULE_ARG_TYPE_STRING);
SAME(kArgInteger, VALKEYMODULE_ARG_TYPE_INTEGER);
SAME(kArgPattern, VALKEYMODULE_ARG_TYPE_PATTERN);
SAME(kArgPureToken, VALKEYMODULE_ARG_TYPE_PURE_TOKEN);
SAME(kArgOneOf, VALKEYMODULE_ARG_TYPE_ONEOF);
SAME(kArgBlock, VALKEYMODULE_ARG_TYPE_BLOCK);
SAME(kArgOptional, VALKEYMODULE_CMD_ARG_OPTIONAL);

// The starts of loading come first: one comparison tells them apart.
static_assert(VALKEYMODULE_SUBEVENT_LOADING_RDB_START < kLoadingReplStart);
static_assert(VALKEYMODULE_SUBEVENT_LOADING_AOF_START < kLoadingReplStart);

#define SIZE(ours, theirs) static_assert(sizeof(ours) == sizeof(theirs), #theirs)
#define FIELD(ours, theirs, field)                                                     \
  static_assert(offsetof(ours, field) == offsetof(theirs, field), #theirs "." #field); \
  static_assert(sizeof(ours::field) == sizeof(theirs::field), #theirs "." #field)
SIZE(Event, ValkeyModuleEvent);
static_assert(offsetof(Event, id) == 0 && offsetof(Event, data_version) == offsetof(ValkeyModuleEvent, dataver));
SIZE(ClientInfo, ValkeyModuleClientInfoV1);
FIELD(ClientInfo, ValkeyModuleClientInfoV1, version);
FIELD(ClientInfo, ValkeyModuleClientInfoV1, flags);
FIELD(ClientInfo, ValkeyModuleClientInfoV1, id);
FIELD(ClientInfo, ValkeyModuleClientInfoV1, addr);
FIELD(ClientInfo, ValkeyModuleClientInfoV1, port);
FIELD(ClientInfo, ValkeyModuleClientInfoV1, db);
static_assert(VALKEYMODULE_CLIENTINFO_VERSION == 1);
FIELD(FlushInfo, ValkeyModuleFlushInfoV1, version);
FIELD(FlushInfo, ValkeyModuleFlushInfoV1, sync);
FIELD(FlushInfo, ValkeyModuleFlushInfoV1, dbnum);
FIELD(SwapDbInfo, ValkeyModuleSwapDbInfoV1, version);
FIELD(SwapDbInfo, ValkeyModuleSwapDbInfoV1, dbnum_first);
FIELD(SwapDbInfo, ValkeyModuleSwapDbInfoV1, dbnum_second);
SIZE(ConfigChange, ValkeyModuleConfigChangeV1);
FIELD(ConfigChange, ValkeyModuleConfigChangeV1, num_changes);
FIELD(ConfigChange, ValkeyModuleConfigChangeV1, config_names);
SIZE(CommandArg, ValkeyModuleCommandArg);
FIELD(CommandArg, ValkeyModuleCommandArg, name);
FIELD(CommandArg, ValkeyModuleCommandArg, type);
FIELD(CommandArg, ValkeyModuleCommandArg, key_spec_index);
FIELD(CommandArg, ValkeyModuleCommandArg, token);
FIELD(CommandArg, ValkeyModuleCommandArg, flags);
FIELD(CommandArg, ValkeyModuleCommandArg, subargs);
FIELD(CommandArg, ValkeyModuleCommandArg, display_text);
SIZE(CommandHistoryEntry, ValkeyModuleCommandHistoryEntry);
SIZE(CommandKeySpec, ValkeyModuleCommandKeySpec);
SIZE(CommandInfoVersion, ValkeyModuleCommandInfoVersion);
FIELD(CommandInfoVersion, ValkeyModuleCommandInfoVersion, version);
FIELD(CommandInfoVersion, ValkeyModuleCommandInfoVersion, sizeof_historyentry);
FIELD(CommandInfoVersion, ValkeyModuleCommandInfoVersion, sizeof_keyspec);
FIELD(CommandInfoVersion, ValkeyModuleCommandInfoVersion, sizeof_arg);
static_assert(kCommandInfoVersion.version == 1);  // theirs is no constant expression
SIZE(CommandInfo, ValkeyModuleCommandInfo);
FIELD(CommandInfo, ValkeyModuleCommandInfo, version);
FIELD(CommandInfo, ValkeyModuleCommandInfo, summary);
FIELD(CommandInfo, ValkeyModuleCommandInfo, complexity);
FIELD(CommandInfo, ValkeyModuleCommandInfo, since);
FIELD(CommandInfo, ValkeyModuleCommandInfo, history);
FIELD(CommandInfo, ValkeyModuleCommandInfo, tips);
FIELD(CommandInfo, ValkeyModuleCommandInfo, arity);
FIELD(CommandInfo, ValkeyModuleCommandInfo, key_specs);
FIELD(CommandInfo, ValkeyModuleCommandInfo, args);

#ifdef VALKEYMODULE_EVENT_AUTHENTICATION_ATTEMPT  // 9.0
SAME(kHandleAtomicSlotMigration, VALKEYMODULE_OPTIONS_HANDLE_ATOMIC_SLOT_MIGRATION);
SAME(kEventAuthenticationAttempt, VALKEYMODULE_EVENT_AUTHENTICATION_ATTEMPT);
SAME(kEventAtomicSlotMigration, VALKEYMODULE_EVENT_ATOMIC_SLOT_MIGRATION);
SAME(kImportStarted, VALKEYMODULE_SUBEVENT_ATOMIC_SLOT_MIGRATION_IMPORT_STARTED);
SAME(kImportAborted, VALKEYMODULE_SUBEVENT_ATOMIC_SLOT_MIGRATION_IMPORT_ABORTED);
SAME(kImportCompleted, VALKEYMODULE_SUBEVENT_ATOMIC_SLOT_MIGRATION_IMPORT_COMPLETED);
SIZE(SlotRange, ValkeyModuleSlotRange);
FIELD(SlotRange, ValkeyModuleSlotRange, start);
FIELD(SlotRange, ValkeyModuleSlotRange, end);
SIZE(SlotMigrationInfo, ValkeyModuleAtomicSlotMigrationInfoV1);
FIELD(SlotMigrationInfo, ValkeyModuleAtomicSlotMigrationInfoV1, slot_ranges);
FIELD(SlotMigrationInfo, ValkeyModuleAtomicSlotMigrationInfoV1, num_slot_ranges);
SAME(kAuthenticationGranted, VALKEYMODULE_AUTH_RESULT_GRANTED);
FIELD(AuthenticationInfo, ValkeyModuleAuthenticationInfoV1, version);
FIELD(AuthenticationInfo, ValkeyModuleAuthenticationInfoV1, client_id);
FIELD(AuthenticationInfo, ValkeyModuleAuthenticationInfoV1, username);
FIELD(AuthenticationInfo, ValkeyModuleAuthenticationInfoV1, module_name);
FIELD(AuthenticationInfo, ValkeyModuleAuthenticationInfoV1, result);
#endif

#ifdef VALKEYMODULE_EVENT_COMMAND_RESULT_REJECTED  // 9.1
SAME(kEventCommandFailure, VALKEYMODULE_EVENT_COMMAND_RESULT_FAILURE);
SAME(kEventCommandRejected, VALKEYMODULE_EVENT_COMMAND_RESULT_REJECTED);
SAME(kEventCommandAclRejected, VALKEYMODULE_EVENT_COMMAND_RESULT_ACL_REJECTED);
FIELD(CommandResultInfo, ValkeyModuleCommandResultInfoV1, version);
FIELD(CommandResultInfo, ValkeyModuleCommandResultInfoV1, command_name);
FIELD(CommandResultInfo, ValkeyModuleCommandResultInfoV1, duration_us);
FIELD(CommandResultInfo, ValkeyModuleCommandResultInfoV1, dirty);
FIELD(CommandResultInfo, ValkeyModuleCommandResultInfoV1, client_id);
FIELD(CommandResultInfo, ValkeyModuleCommandResultInfoV1, is_module_client);
FIELD(CommandResultInfo, ValkeyModuleCommandResultInfoV1, argc);
FIELD(CommandResultInfo, ValkeyModuleCommandResultInfoV1, argv);
FIELD(CommandResultInfo, ValkeyModuleCommandResultInfoV1, rejection_context);
#endif

}  // namespace
}  // namespace server_api
