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

  std::uint64_t word = 0;    // the first eight bytes of the name, as this entry spells it
  std::uint32_t length = 0;  // 0: an empty place; plus kSpecial where `special` is not 0, so that one look tells both
  std::uint32_t name = 0;    // its place among the table's names
  std::int32_t arity = 0;
  std::uint32_t special = 0;
  std::uint32_t number = 0;
  Kind kind = Kind::kOther;

  static constexpr std::uint32_t kSpecial = std::uint32_t{1} << 31;
  bool is_named(std::uint64_t first_bytes, std::size_t size) const {
    return word == first_bytes && (length & ~kSpecial) == size;
  }
  bool accepts(int argc) const { return arity >= 0 ? argc == arity : argc >= -arity; }
};

// What the command of this name, in lower case, may do, as far as its name says.
std::uint32_t special_of(std::string_view name);

// A command as it is counted.
struct CountedCommand {
  std::string name;  // the server's own, as in commandstats: "config|get"
  Kind kind;
};

// Open addressing over the first eight bytes. Each name is there in lower and in upper case, as nearly everybody writes
// it: most look-ups are one multiplication and two comparisons.
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
  std::uint32_t number_of(const CommandEntry& entry) {
    return entry.special & CommandEntry::kUnnumbered ? give_number(entry) : entry.number;
  }
  // The server's own name of this command.
  const std::string& name(const CommandEntry& entry) const { return names_[entry.name].name; }
  const CountedCommand& counted(std::uint32_t number) const { return counted_[number]; }
  // Null where the server has no such command. Any case. Valid until the next add or clear.
  const CommandEntry* find(std::string_view name) const;
  // The same, but finds none that is special, of more than eight bytes, or in both cases.
  const CommandEntry* find_plain(std::string_view name) const {
    if (name.size() > kWord) return nullptr;
    std::uint64_t word = first_bytes(name);
    for (const CommandEntry* entry = first_place(word, name.size());; ++entry) {
      if (entry->word == word && entry->length == static_cast<std::uint32_t>(name.size())) [[likely]]
        return entry;
      if (!entry->length) return nullptr;
    }
  }
  // "config", "get" → the entry of "config|get".
  const CommandEntry* find(std::string_view container, std::string_view subcommand) const;
  std::size_t size() const { return names_.size(); }
  // Forgets the entries, not the numbers.
  void clear();

 private:
  static constexpr std::size_t kWord = sizeof(std::uint64_t);

  template <typename Number>
  static std::uint64_t load(const char* bytes) {
    Number number;
    std::memcpy(&number, bytes, sizeof number);
    return number;
  }
  // Two loads that overlap instead of a loop. Of no bytes: no name's.
  static std::uint64_t first_bytes(std::string_view name) {
    const char* bytes = name.data();
    std::size_t size = name.size();
    if (size > kWord) return load<std::uint64_t>(bytes);
    if (size >= 4) return load<std::uint32_t>(bytes) | load<std::uint32_t>(bytes + size - 4) << 8 * (size - 4);
    if (size >= 2) return load<std::uint16_t>(bytes) | load<std::uint16_t>(bytes + size - 2) << 8 * (size - 2);
    return size ? load<std::uint8_t>(bytes) : ~std::uint64_t{0};
  }
  // The factor is the best of millions: by it most of Valkey's frequent commands are found at their first place.
  const CommandEntry* first_place(std::uint64_t word, std::size_t size) const {
    return entries_.data() + ((word + size) * 0xe42b98001823b223u >> 40 & mask_);
  }
  // Where the entry is that spells its first bytes like `word`, or would be. `name`: in any case.
  const CommandEntry* place_of(std::uint64_t word, std::string_view name) const;
  void make_places(std::size_t places);
  void place(const CommandEntry& entry);
  std::uint32_t give_number(const CommandEntry& entry);

  struct Names {
    std::string called;  // in lower case
    std::string name;    // the server's own
  };

  // What find() needs comes first.
  std::size_t mask_;
  std::vector<CommandEntry> entries_;  // the last one stays empty
  std::vector<Names> names_;
  std::vector<CountedCommand> counted_;
};

}  // namespace tenants
