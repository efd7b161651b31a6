#include "module/accounting/commands.h"

#include <algorithm>
#include <utility>

namespace tenants {
namespace {

// A server has about 420 names, subcommands included, most in two cases; doubled where modules add more. Behind them
// are some to which no name leads, so that a look needs no bound: it ends at an empty place.
constexpr std::size_t kPlaces = 2048, kBeyond = 64;
constexpr std::size_t kLongestName = 64;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c; }

template <typename Change>
std::uint64_t each_byte(std::uint64_t word, Change change) {
  char bytes[sizeof word];
  std::memcpy(bytes, &word, sizeof word);
  for (char& byte : bytes) byte = change(byte);
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

bool same_in_any_case(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

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

CommandTable::CommandTable() : counted_{{"(other)", Kind::kOther}} { make_places(kPlaces); }

void CommandTable::clear() {
  std::ranges::fill(entries_, CommandEntry());  // no memory is needed for that
  names_.clear();
}

// No memory: nothing has changed, or names are missing, which are learned anew.
void CommandTable::make_places(std::size_t places) {
  std::vector<CommandEntry> before(places + kBeyond);
  before.swap(entries_);
  mask_ = places - 1;
  for (const CommandEntry& entry : before)
    if (entry.length) place(entry);
}

const CommandEntry* CommandTable::place_of(std::uint64_t word, std::string_view name) const {
  for (const CommandEntry* entry = first_place(word, name.size());; ++entry) {
    if (!entry->length) return entry;
    if (!entry->is_named(word, name.size())) continue;
    if (name.size() <= kWord) return entry;
    std::string_view called = names_[entry->name].called;
    if (same_in_any_case(name.substr(kWord), called.substr(kWord))) return entry;
  }
}

void CommandTable::place(const CommandEntry& entry) {
  const CommandEntry* at = place_of(entry.word, names_[entry.name].called);
  if (at == &entries_.back()) return make_places(2 * (mask_ + 1)), place(entry);
  entries_[static_cast<std::size_t>(at - entries_.data())] = entry;
}

const CommandEntry* CommandTable::find(std::string_view name) const {
  std::uint64_t word = first_bytes(name);
  const CommandEntry* entry = place_of(word, name);
  if (!entry->length) entry = place_of(each_byte(word, lower), name);
  return entry->length ? entry : nullptr;
}

void CommandTable::add(std::string_view called, std::string_view name, Kind kind, int arity, std::uint32_t special) {
  if (called.empty() || called.size() > kLongestName) return;
  if (4 * names_.size() >= mask_) make_places(2 * (mask_ + 1));
  CommandEntry entry{.length = static_cast<std::uint32_t>(called.size()) | CommandEntry::kSpecial,
                     .arity = arity,
                     .special = special | CommandEntry::kUnnumbered,
                     .kind = kind};
  std::uint64_t word = first_bytes(called);
  entry.word = each_byte(word, lower);
  if (const CommandEntry* before = place_of(entry.word, called); before->length) {
    entry.name = before->name;
    names_[entry.name].name = name;
  } else {
    Names both{std::string(called), std::string(name)};
    std::ranges::transform(both.called, both.called.begin(), lower);
    entry.name = static_cast<std::uint32_t>(names_.size());
    names_.push_back(std::move(both));
  }
  place(entry);
  if (called.find('|') != called.npos) return;  // a subcommand: seldom sent
  entry.word = each_byte(word, upper);
  place(entry);
}

std::uint32_t CommandTable::give_number(const CommandEntry& entry) {
  auto place = static_cast<std::size_t>(&entry - entries_.data());
  const std::string& name = names_[entry.name].name;
  auto found = std::find_if(counted_.begin() + 1, counted_.end(),
                            [&](const CountedCommand& command) { return command.name == name; });
  auto number = static_cast<std::size_t>(found - counted_.begin());
  if (number == kMostNumbers) number = 0;
  if (number == counted_.size()) counted_.push_back({name, entry.kind});
  CommandEntry& numbered = entries_[place];
  numbered.number = static_cast<std::uint32_t>(number);
  numbered.special &= ~static_cast<std::uint32_t>(CommandEntry::kUnnumbered);
  if (!numbered.special) numbered.length &= ~CommandEntry::kSpecial;
  return numbered.number;
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
