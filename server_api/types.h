// The server's side of the module API: its opaque handles, constants and structures, as far as we use them.
//
// Written from the public interface of Valkey 8.0 … 9.1 (and Redis 7.2+, which shares all of it); binding_test.cc
// compares every line with the official valkeymodule.h.
#pragma once

#include <cstddef>
#include <cstdint>

// Opaque; the tags are the official ones so that binding_test.cc can compare whole function types.
struct ValkeyModuleCtx;
struct ValkeyModuleString;
struct ValkeyModuleKey;
struct ValkeyModuleCallReply;
struct ValkeyModuleCommandFilterCtx;
struct ValkeyModuleCommandFilter;
struct ValkeyModuleScanCursor;
struct ValkeyModuleInfoCtx;
struct ValkeyModuleCommand;

namespace server_api {

using Context = ::ValkeyModuleCtx;
using String = ::ValkeyModuleString;
using Key = ::ValkeyModuleKey;
using CallReply = ::ValkeyModuleCallReply;
using FilterContext = ::ValkeyModuleCommandFilterCtx;
using Filter = ::ValkeyModuleCommandFilter;
using ScanCursor = ::ValkeyModuleScanCursor;
using InfoContext = ::ValkeyModuleInfoCtx;
using Command = ::ValkeyModuleCommand;

inline constexpr int kOk = 0;
inline constexpr int kErr = 1;
inline constexpr int kApiVersion = 1;

// Options of the whole module (SetModuleOptions assigns: one call).
inline constexpr int kHandleIoErrors = 1 << 0;
inline constexpr int kHandleReplAsyncLoad = 1 << 2;
inline constexpr int kHandleAtomicSlotMigration = 1 << 5;  // Valkey 9.0+

inline constexpr int kFilterNoSelf = 1 << 0;

// Keyspace notifications.
inline constexpr int kNotifyGeneric = 1 << 2;
inline constexpr int kNotifyExpired = 1 << 8;
inline constexpr int kNotifyEvicted = 1 << 9;
inline constexpr int kNotifyLoaded = 1 << 12;
inline constexpr int kNotifyNew = 1 << 14;

// GetContextFlags.
inline constexpr int kFlagLua = 1 << 0;    // a script is running
inline constexpr int kFlagMulti = 1 << 1;  // EXEC is running
inline constexpr int kFlagCluster = 1 << 5;
inline constexpr int kFlagLoading = 1 << 13;
inline constexpr int kFlagAsyncLoading = 1 << 23;
inline constexpr int kFlagServerStartup = 1 << 24;

// OpenKey: read, and leave no trace: no access time, no statistics, no event, no expiry.
inline constexpr int kOpenKeyUnnoticed = 1 << 0 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 19;

// GetCommandKeysWithFlags, and what COMMAND says of keys: the ACL asks for the right to read, or to write (UPDATE,
// INSERT, DELETE).
inline constexpr int kKeyAccess = 1 << 4;
inline constexpr int kKeyWrites = 1 << 5 | 1 << 6 | 1 << 7;

inline constexpr int kReplyString = 0;
inline constexpr int kReplyInteger = 2;
inline constexpr int kReplyArray = 3;
inline constexpr int kReplyNull = 4;

inline constexpr int kKeyTypeString = 1;
inline constexpr int kKeyTypeList = 2;
inline constexpr int kKeyTypeStream = 7;

inline constexpr unsigned kConfigDefault = 0;

inline constexpr int kEventLoopReadable = 1;

struct Event {
  std::uint64_t id;
  std::uint64_t data_version;
};
inline constexpr std::uint64_t kEventFlushDb = 2;
inline constexpr std::uint64_t kEventLoading = 3;
inline constexpr std::uint64_t kEventClientChange = 4;
inline constexpr std::uint64_t kEventPrimaryLinkChange = 7;
inline constexpr std::uint64_t kEventModuleChange = 9;
inline constexpr std::uint64_t kEventSwapDb = 11;
inline constexpr std::uint64_t kEventReplAsyncLoad = 14;
inline constexpr std::uint64_t kEventConfig = 16;
inline constexpr std::uint64_t kEventAuthenticationAttempt = 18;  // Valkey 9.0+; another event on Redis 8.4+
inline constexpr std::uint64_t kEventAtomicSlotMigration = 19;    // Valkey 9.0+; another event on Redis 8.4+
inline constexpr std::uint64_t kEventCommandFailure = 21;         // Valkey 9.1+
inline constexpr std::uint64_t kEventCommandRejected = 22;        // Valkey 9.1+
inline constexpr std::uint64_t kEventCommandAclRejected = 23;     // Valkey 9.1+

inline constexpr std::uint64_t kFlushDbStart = 0;
inline constexpr std::uint64_t kLoadingReplStart = 2;
inline constexpr std::uint64_t kLoadingEnded = 3;
inline constexpr std::uint64_t kClientConnected = 0;
inline constexpr std::uint64_t kReplAsyncLoadStarted = 0;
inline constexpr std::uint64_t kReplAsyncLoadCompleted = 2;
inline constexpr std::uint64_t kModuleUnloaded = 1;
inline constexpr std::uint64_t kImportStarted = 0;
inline constexpr std::uint64_t kImportAborted = 2;
inline constexpr std::uint64_t kImportCompleted = 4;

inline constexpr std::uint64_t kClientBlocked = 1 << 2;  // flags of ClientInfo
inline constexpr std::uint64_t kClientInMulti = 1 << 5;

struct ClientInfo {
  std::uint64_t version;
  std::uint64_t flags;
  std::uint64_t id;
  char addr[46];
  std::uint16_t port;
  std::uint16_t db;
};

struct FlushInfo {
  std::uint64_t version;
  std::int32_t sync;
  std::int32_t dbnum;  // -1: all
};

struct SlotRange {
  int start;
  int end;  // inclusive
};

struct SlotMigrationInfo {  // Valkey 9.0+
  std::uint64_t version;
  char job_name[41];
  SlotRange* slot_ranges;
  std::uint32_t num_slot_ranges;
};

struct SwapDbInfo {
  std::uint64_t version;
  std::int32_t dbnum_first;
  std::int32_t dbnum_second;
};

struct ConfigChange {
  std::uint64_t version;
  std::uint32_t num_changes;
  const char** config_names;
};

struct AuthenticationInfo {
  std::uint64_t version;
  std::uint64_t client_id;
  const char* username;  // as attempted: never to be trusted
  const char* module_name;
  int result;
};

inline constexpr int kAuthenticationGranted = 0;

struct CommandResultInfo {
  std::uint64_t version;
  const char* command_name;  // null for an unknown command
  long long duration_us;
  long long dirty;
  std::uint64_t client_id;
  int is_module_client;
  int argc;
  String** argv;
  const char* rejection_context;
};

// For COMMAND DOCS.
struct CommandArg {
  const char* name;
  int type;
  int key_spec_index;
  const char* token;
  const char* summary;
  const char* since;
  int flags;
  const char* deprecated_since;
  CommandArg* subargs;
  const char* display_text;
};
inline constexpr int kArgString = 0;
inline constexpr int kArgInteger = 1;
inline constexpr int kArgPattern = 4;
inline constexpr int kArgPureToken = 6;
inline constexpr int kArgOneOf = 7;
inline constexpr int kArgBlock = 8;
inline constexpr int kArgOptional = 1 << 0;

struct CommandHistoryEntry {
  const char* since;
  const char* changes;
};

struct CommandKeySpec {  // ours are keyless: only the size matters
  const char* notes;
  std::uint64_t flags;
  int begin_search_type;
  struct {
    const char* keyword;
    int startfrom;
  } bs;
  int find_keys_type;
  int fk[3];
};

struct CommandInfoVersion {
  int version;
  std::size_t sizeof_historyentry;
  std::size_t sizeof_keyspec;
  std::size_t sizeof_arg;
};
inline constexpr CommandInfoVersion kCommandInfoVersion{1, sizeof(CommandHistoryEntry), sizeof(CommandKeySpec),
                                                        sizeof(CommandArg)};

struct CommandInfo {
  const CommandInfoVersion* version;
  const char* summary;
  const char* complexity;
  const char* since;
  CommandHistoryEntry* history;
  const char* tips;
  int arity;
  CommandKeySpec* key_specs;
  CommandArg* args;
};

using CommandFunction = int (*)(Context*, String** argv, int argc);
using FilterFunction = void (*)(FilterContext*);
using EventCallback = void (*)(Context*, Event, std::uint64_t subevent, void* data);
using NotificationFunction = int (*)(Context*, int type, const char* event, String* key);
using ScanCallback = void (*)(Context*, String* name, Key*, void* data);
using InfoFunction = void (*)(InfoContext*, int for_crash_report);
using EventLoopFunction = void (*)(int fd, void* data, int mask);
using GetNumericFunction = long long (*)(const char* name, void* data);
using SetNumericFunction = int (*)(const char* name, long long value, void* data, String** error);
using GetStringFunction = String* (*)(const char* name, void* data);
using SetStringFunction = int (*)(const char* name, String* value, void* data, String** error);
using ApplyFunction = int (*)(Context*, void* data, String** error);

}  // namespace server_api
