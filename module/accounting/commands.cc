#include "module/accounting/commands.h"

#include <algorithm>
#include <utility>

namespace tenants {
namespace {

constexpr std::size_t kPlaces =
    1024;  // a server has about 420 names, subcommands included; doubled where modules add more
constexpr std::size_t kLongestName = 64;

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

std::uint32_t special_of(std::string_view name) {
  struct Named {
    std::string_view name;
    std::uint32_t special;
  };
  static constexpr Named kNamed[] = {
      {"multi", CommandEntry::kMulti},
      {"exec", CommandEntry::kExec | CommandEntry::kNotQueued | CommandEntry::kScript},
      {"discard", CommandEntry::kDiscard | CommandEntry::kNotQueued},
      {"quit", CommandEntry::kNotQueued},
      {"reset", CommandEntry::kReset | CommandEntry::kIdentity | CommandEntry::kNotQueued},
      {"watch", CommandEntry::kWatch},
      {"unwatch", CommandEntry::kUnwatch},
      {"move", CommandEntry::kOtherDatabase},
      {"copy", CommandEntry::kOtherDatabase},
      {"auth", CommandEntry::kIdentity | CommandEntry::kAuth},
      {"hello", CommandEntry::kIdentity | CommandEntry::kAuth},
      {"acl|setuser", CommandEntry::kAcl | CommandEntry::kOfOneUser},
      {"client|no-touch", CommandEntry::kNoTouch},
      {"config|set", CommandEntry::kConfigSet},
      {"acl|deluser", CommandEntry::kAcl | CommandEntry::kIdentity},
      {"acl|load", CommandEntry::kAcl | CommandEntry::kIdentity},
      {"migrate", CommandEntry::kMigrate},
      {"monitor", CommandEntry::kMonitor},
      {"cluster|syncslots", CommandEntry::kImport},
      {"eval", CommandEntry::kScript},
      {"eval_ro", CommandEntry::kScript},
      {"evalsha", CommandEntry::kScript},
      {"evalsha_ro", CommandEntry::kScript},
      {"fcall", CommandEntry::kScript},
      {"fcall_ro", CommandEntry::kScript},
  };
  for (const Named& named : kNamed)
    if (named.name == name) return named.special;
  return 0;
}

CommandTable::CommandTable() : counted_{{"(other)", Kind::kOther}} { clear(); }

void CommandTable::clear() {
  entries_.assign(kPlaces, {});
  names_.assign(kPlaces, {});
  mask_ = kPlaces - 1;
  size_ = 0;
}

bool CommandTable::same_rest(std::string_view any_case, std::string_view lower_case) {
  for (std::size_t i = 8; i < any_case.size(); ++i)
    if (lower(any_case[i]) != lower_case[i]) return false;
  return true;
}

std::size_t CommandTable::place_for(std::string_view lower_case) const {
  std::size_t at = place(first_bytes(lower_case), lower_case.size());
  while (entries_[at & mask_].length && names_[at & mask_].called != lower_case) ++at;
  return at & mask_;
}

void CommandTable::add(std::string_view called, std::string_view name, Kind kind, int arity, std::uint32_t special) {
  if (called.empty() || called.size() > kLongestName) return;
  if (2 * size_ >= entries_.size()) {
    std::size_t places = entries_.size() * 2;
    std::vector<CommandEntry> entries(places);
    std::vector<Names> names(places);  // no memory until here: nothing has changed
    entries.swap(entries_);
    names.swap(names_);
    mask_ = places - 1;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!entries[i].length) continue;
      std::size_t at = place_for(names[i].called);
      entries_[at] = entries[i];
      names_[at] = std::move(names[i]);
    }
  }
  std::string lower_case;
  for (char c : called) lower_case += lower(c);
  Names both{lower_case, std::string(name)};
  std::size_t at = place_for(lower_case);
  CommandEntry& entry = entries_[at];
  size_ += entry.length == 0;
  entry.word = first_bytes(lower_case);
  entry.letters = 0;
  for (std::size_t i = 0; i < 8 && i < lower_case.size(); ++i)
    if (is_letter(lower_case[i])) entry.letters |= std::uint64_t{0x20} << 8 * i;
  entry.length = static_cast<std::uint32_t>(called.size());
  entry.arity = arity;
  entry.special = special | CommandEntry::kUnnumbered;
  entry.kind = kind;
  names_[at] = std::move(both);
}

std::uint16_t CommandTable::give_number(const CommandEntry& entry) {
  auto place = static_cast<std::size_t>(&entry - entries_.data());
  const std::string& name = names_[place].name;
  auto found = std::find_if(counted_.begin() + 1, counted_.end(),
                            [&](const CountedCommand& command) { return command.name == name; });
  auto number = static_cast<std::size_t>(found - counted_.begin());
  if (number == kMostNumbers) number = 0;
  if (number == counted_.size()) counted_.push_back({name, entry.kind});
  entries_[place].number = static_cast<std::uint16_t>(number);
  entries_[place].special &= ~static_cast<std::uint32_t>(CommandEntry::kUnnumbered);
  return entries_[place].number;
}

const CommandEntry* CommandTable::find(std::string_view container, std::string_view subcommand) const {
  char name[kLongestName];
  if (container.size() + 1 + subcommand.size() > kLongestName) return nullptr;
  std::memcpy(name, container.data(), container.size());
  name[container.size()] = '|';
  std::memcpy(name + container.size() + 1, subcommand.data(), subcommand.size());
  return find({name, container.size() + 1 + subcommand.size()});
}

}  // namespace tenants
