#include "module/accounting/users.h"

#include <bit>

namespace tenants {

void User::make_room(std::uint32_t number) {
  constexpr std::uint32_t kLeast = 32;
  if (has_room(number)) return;
  std::uint32_t more = std::max(kLeast, std::bit_ceil(number + 1));
  auto counts = std::make_unique<std::uint64_t[]>(more);
  std::copy_n(by_number.get(), numbers, counts.get());
  by_number = std::move(counts);
  numbers = more;
}

void User::reset(std::uint64_t cpu_nanoseconds) {
  User fresh;
  fresh.name = std::move(name);
  fresh.connections = fresh.connections_peak = connections;
  fresh.cpu_before = cpu_nanoseconds;
  fresh.in_acl = in_acl;
  fresh.acl_reading = acl_reading;
  fresh.gone_usec = gone_usec;
  *this = std::move(fresh);
}

void User::make_room_for(const User& gone) {
  if (gone.numbers > 0) make_room(gone.numbers - 1);
}

void User::take_over(const User& gone, std::uint64_t cpu_nanoseconds) {
  make_room_for(gone);
  for (std::size_t number = 0; number < gone.numbers; ++number) by_number[number] += gone.by_number[number];
  for (std::size_t kind = 0; kind < kKinds; ++kind) commands[kind] += gone.commands[kind];
  for (std::size_t counter = 0; counter < counters.size(); ++counter) counters[counter] += gone.counters[counter];
  cpu_before -= cpu_nanoseconds - gone.cpu_before;
}

UserTable::UserTable(std::size_t capacity) : rows_(kFirst + capacity) {
  rows_[kInternal].name = "(internal)";
  rows_[kOther].name = "(other)";
  index_.reserve(capacity);
}

std::uint32_t UserTable::find(std::string_view name) const {
  auto found = index_.find(name);
  return found == index_.end() ? kInternal : found->second;
}

std::uint32_t UserTable::add(std::string_view name) {
  if (!has_room() || name.size() > kLongestName) {
    ++dropped_;
    return kOther;
  }
  std::string copy(name);
  std::uint32_t row = end_;
  index_.emplace(name, row);  // no memory: nothing has changed
  rows_[row].name = std::move(copy);
  ++end_;
  return row;
}

void UserTable::find_gone() {
  gone_.clear();
  for (std::uint32_t row = kFirst; row < end_; ++row)
    if (rows_[row].gone_usec && rows_[row].connections == 0) gone_.push_back(row);
  std::ranges::sort(gone_, std::ranges::greater(), [&](std::uint32_t row) { return rows_[row].gone_usec; });
}

std::uint32_t UserTable::next_gone() {
  while (!gone_.empty()) {
    std::uint32_t row = gone_.back();
    gone_.pop_back();
    if (rows_[row].gone_usec && rows_[row].connections == 0) return row;
  }
  return kInternal;
}

void UserTable::reuse(std::uint32_t row, std::string_view name, std::uint64_t cpu_nanoseconds) {
  User fresh;
  fresh.name = name;
  fresh.cpu_before = cpu_nanoseconds;
  User &gone = rows_[row], &other = rows_[kOther];
  other.make_room_for(gone);
  index_.emplace(name, row);  // no memory until here: nothing has changed
  index_.erase(gone.name);
  other.take_over(gone, cpu_nanoseconds);
  gone = std::move(fresh);
  ++reused_;
}

}  // namespace tenants
