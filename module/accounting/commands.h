// What the server's command table says of a command's name: how it counts, and whether it needs a closer look.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "module/accounting/clients.h"

namespace tenants {

struct alignas(32) CommandEntry {  // two to a cache line
  // What a command may do that plain counting does not cover.
  enum Special : std::uint32_t {
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
    kNoAuth = 1 << 16,       // runs before the client has logged in
    kUnnumbered = 1 << 17,   // nobody has called it yet
    kImport = 1 << 18,       // begins a slot migration, or belongs to one
    kMigrate = 1 << 19,      // tells of a key's removal as often as it is named
    kNoTouch = 1 << 21,      // CLIENT NO-TOUCH
    kOfModule = 1 << 22,     // a module has registered it
    kOfOneUser = 1 << 23,    // kAcl: changes the user that its first argument names
    kConfigSet = 1 << 24,
  };

  std::uint64_t word = 0;     // the first eight bytes of the name, in lower case
  std::uint64_t letters = 0;  // of these, bit 5 of each letter: what upper case lacks
  std::uint32_t length = 0;   // 0: an empty place
  std::int32_t arity = 0;
  std::uint32_t special = 0;
  std::uint16_t number = 0;
  Kind kind = Kind::kOther;

  bool accepts(int argc) const { return arity >= 0 ? argc == arity : argc >= -arity; }
};

// What the command of this name, in lower case, may do, as far as its name says.
std::uint32_t special_of(std::string_view name);

// A command as it is counted.
struct CountedCommand {
  std::string name;  // the server's own, as in commandstats: "config|get"
  Kind kind;
};

// Open addressing over the first eight bytes: most look-ups are one multiplication and two comparisons.
//
// Commands are counted by number: given at their first use, so that counters lie close together, and the same for as
// long as the table lives, also when modules come and go. Number 0 is "(other)", for what comes when none is left.
class CommandTable {
 public:
  static constexpr std::size_t kMostNumbers = 2048;

  CommandTable();

  // `called`: the name by which clients call it, in any case; a subcommand as "config|get". `name`: the server's own,
  // another one where it was renamed. A later add of the same name replaces the first.
  void add(std::string_view called, std::string_view name, Kind kind, int arity, std::uint32_t special);
  void add(std::string_view name, Kind kind, int arity, std::uint32_t special) {
    add(name, name, kind, arity, special);
  }
  // Of an entry of this table. O(1), but for the first use of a name: it may allocate, and looks at every name so far.
  std::uint16_t number_of(const CommandEntry& entry) {
    return entry.special & CommandEntry::kUnnumbered ? give_number(entry) : entry.number;
  }
  // The server's own name of this command.
  const std::string& name(const CommandEntry& entry) const {
    return names_[static_cast<std::size_t>(&entry - entries_.data())].name;
  }
  const CountedCommand& counted(std::uint16_t number) const { return counted_[number]; }
  // Null where the server has no such command. Any case. Valid until the next add or clear.
  const CommandEntry* find(std::string_view name) const {
    std::uint64_t word = first_bytes(name);
    for (std::size_t at = place(word, name.size());; ++at) {
      const CommandEntry& entry = entries_[at & mask_];
      if (entry.length == name.size() && ((word ^ entry.word) & ~entry.letters) == 0 &&
          (name.size() <= 8 || same_rest(name, names_[at & mask_].called)))
        return entry.length ? &entry : nullptr;
      if (!entry.length) return nullptr;
    }
  }
  // "config", "get" → the entry of "config|get".
  const CommandEntry* find(std::string_view container, std::string_view subcommand) const;
  std::size_t size() const { return size_; }
  // Forgets the entries, not the numbers.
  void clear();

 private:
  template <typename Number>
  static std::uint64_t load(const char* bytes) {
    Number number;
    std::memcpy(&number, bytes, sizeof number);
    return number;
  }
  // Two loads that overlap instead of a loop.
  static std::uint64_t first_bytes(std::string_view name) {
    const char* bytes = name.data();
    std::size_t size = name.size();
    if (size >= 8) return load<std::uint64_t>(bytes);
    if (size >= 4) return load<std::uint32_t>(bytes) | load<std::uint32_t>(bytes + size - 4) << 8 * (size - 4);
    if (size >= 2) return load<std::uint16_t>(bytes) | load<std::uint16_t>(bytes + size - 2) << 8 * (size - 2);
    return size ? load<std::uint8_t>(bytes) : 0;
  }
  // Equal for names that differ in case only.
  std::size_t place(std::uint64_t word, std::size_t size) const {
    return ((word | 0x2020202020202020u) + size) * 0x9e3779b97f4a7c15u >> 40 & mask_;
  }
  static bool same_rest(std::string_view any_case, std::string_view lower_case);
  std::size_t place_for(std::string_view lower_case) const;
  std::uint16_t give_number(const CommandEntry& entry);

  struct Names {
    std::string called;  // in lower case
    std::string name;    // the server's own
  };

  // What find() needs comes first.
  std::size_t mask_;
  std::vector<CommandEntry> entries_;
  std::vector<Names> names_;  // of the entry at the same place
  std::vector<CountedCommand> counted_;
  std::size_t size_ = 0;
};

}  // namespace tenants
