// What the server says as text: INFO and CLIENT LIST. Of text that is cut or hostile, what can be read is read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "module/accounting/keyspace.h"

namespace tenants {

// The number that INFO has for `field`; nothing where it has none.
std::optional<std::uint64_t> info_number(std::string_view info, std::string_view field);

// Of INFO keyspace: the databases that have keys.
DatabaseSizes info_databases(std::string_view info);

// Of CLUSTER GETSLOTMIGRATIONS: "0-99 200-200".
std::vector<SlotRange> slot_ranges(std::string_view text);

// A client's line of CLIENT LIST. None of its values has a space in it: the server allows none in a name.
class ClientLine {
 public:
  explicit ClientLine(std::string_view line) : line_(line) {}

  // Of "flags", say; empty where the line has no such field.
  std::string_view value(std::string_view field) const;
  std::optional<std::uint64_t> number(std::string_view field) const;
  bool has_flag(char letter) const { return value("flags").find(letter) != std::string_view::npos; }

 private:
  std::string_view line_;
};

template <typename Visit>
void for_each_client(std::string_view list, Visit visit) {
  while (!list.empty()) {
    std::string_view line = list.substr(0, list.find('\n'));
    list.remove_prefix(std::min(line.size() + 1, list.size()));
    visit(ClientLine(line));
  }
}

}  // namespace tenants
