// What the server's command table says of a command's name: how it counts, and whether it needs a closer look.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "module/accounting/clients.h"

namespace tenants {

struct CommandEntry {
  // What a command may do that plain counting does not cover.
  enum Special : std::uint16_t {
    kMulti = 1,
    kExec = 2,
    kDiscard = 4,
    kReset = 8,
    kIdentity = 16,  // AUTH, HELLO, RESET, module commands: may change the client's user
    kAcl = 32,       // may change the ACL
    kMonitor = 64,
    kContainer = 128,  // its subcommand says what it is
    kNotQueued = 256,  // runs at once inside MULTI
    kNoMulti = 512,    // refused inside MULTI
    kNoScript = 1024,  // refused inside scripts
    kScript = 2048,    // runs a script, or may
    kAuth = 4096,
    kWatch = 8192,
    kUnwatch = 16384,
    kOtherDatabase = 32768,  // may change keys of another database than the client's
  };

  std::uint64_t head = 0;  // the first eight bytes of the name in lower case; 0: an empty place
  std::uint32_t length = 0;
  std::int32_t arity = 0;
  Kind kind = Kind::kOther;
  std::uint16_t special = 0;
  std::string name;

  bool accepts(int argc) const { return arity >= 0 ? argc == arity : argc >= -arity; }
};

// Open addressing over the first eight bytes: a look-up is two or three nanoseconds, allocates nothing.
class CommandTable {
 public:
  CommandTable();

  // `name` in any case; a subcommand as "config|get". A later add of the same name replaces the first.
  void add(std::string_view name, Kind kind, int arity, std::uint16_t special);
  // Null where the server has no such command. Any case.
  const CommandEntry* find(std::string_view name) const;
  // "config", "get" → the entry of "config|get".
  const CommandEntry* find(std::string_view container, std::string_view subcommand) const;
  std::size_t size() const { return size_; }
  void clear();

 private:
  std::size_t place(std::uint64_t head, std::string_view name) const;

  std::vector<CommandEntry> entries_;
  std::size_t size_ = 0;
};

}  // namespace tenants
