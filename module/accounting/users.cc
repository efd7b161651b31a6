#include "module/accounting/users.h"

namespace tenants {

UserTable::UserTable(std::size_t capacity) : rows_(kFirst + capacity) {
  rows_[kInternal].name = "(internal)";
  rows_[kOther].name = "(other)";
  index_.reserve(capacity);
}

std::uint32_t UserTable::find(std::string_view name) const {
  auto found = index_.find(name);
  return found == index_.end() ? kInternal : found->second;
}

std::uint32_t UserTable::row_of(std::string_view name) {
  if (std::uint32_t row = find(name)) return row;
  if (end_ == rows_.size() || name.size() > kLongestName) {
    ++dropped_;
    return kOther;
  }
  std::uint32_t row = end_;
  index_.emplace(name, row);
  rows_[row].name = name;
  ++end_;
  return row;
}

}  // namespace tenants
