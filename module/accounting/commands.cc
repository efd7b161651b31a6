#include "module/accounting/commands.h"

#include <cstring>
#include <utility>

namespace tenants {
namespace {

constexpr std::size_t kPlaces =
    1024;  // a server has about 420 names, subcommands included; doubled where modules add more
constexpr std::size_t kLongestName = 64;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool same_name(std::string_view any_case, std::string_view lower_case) {
  if (any_case.size() != lower_case.size()) return false;
  for (std::size_t i = 0; i < any_case.size(); ++i)
    if (lower(any_case[i]) != lower_case[i]) return false;
  return true;
}

// Folds case by setting bit 5 of every byte: letters compare equal in both cases; the full comparison decides the rest.
std::uint64_t head_of(std::string_view name) {
  std::uint64_t head = 0;
  std::memcpy(&head, name.data(), name.size() < 8 ? name.size() : 8);
  return (head | 0x2020202020202020u) ^ (name.size() << 56);
}

}  // namespace

CommandTable::CommandTable() : entries_(kPlaces) {}

std::size_t CommandTable::place(std::uint64_t head, std::string_view name) const {
  std::size_t mask = entries_.size() - 1;
  std::size_t at = (head * 0x9e3779b97f4a7c15u) >> 40 & mask;
  while (entries_[at].length && !(entries_[at].head == head && same_name(name, entries_[at].name)))
    at = (at + 1) & mask;
  return at;
}

void CommandTable::add(std::string_view name, Kind kind, int arity, std::uint16_t special) {
  if (name.empty() || name.size() > kLongestName) return;
  if (2 * size_ >= entries_.size()) {
    std::vector<CommandEntry> old = std::exchange(entries_, std::vector<CommandEntry>(entries_.size() * 2));
    for (CommandEntry& entry : old)
      if (entry.length) entries_[place(entry.head, entry.name)] = std::move(entry);
  }
  CommandEntry& entry = entries_[place(head_of(name), name)];
  size_ += entry.length == 0;
  entry.head = head_of(name);
  entry.length = static_cast<std::uint32_t>(name.size());
  entry.kind = kind;
  entry.arity = arity;
  entry.special = special;
  entry.name.clear();
  for (char c : name) entry.name += lower(c);
}

void CommandTable::clear() {
  entries_.assign(kPlaces, {});
  size_ = 0;
}

const CommandEntry* CommandTable::find(std::string_view name) const {
  if (name.empty() || name.size() > kLongestName) return nullptr;
  const CommandEntry& entry = entries_[place(head_of(name), name)];
  return entry.length ? &entry : nullptr;
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
