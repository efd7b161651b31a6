// One row per ACL user: its connections and commands. Fixed capacity; users that don't fit share the row "(other)".
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "module/accounting/clients.h"

namespace tenants {

// Why the ACL refused, in the order of the server's own reasons: not logged in, command, key, channel, database.
inline constexpr std::size_t kDenials = 5;

// A command that kept the main thread busy for long. No arguments: they are the user's own.
struct SlowCommand {
  char name[32] = {};
  std::uint64_t cpu_usec = 0;
  std::int64_t unix_msec = 0;  // when it was noticed, right after its end
};

struct SlowLog {
  static constexpr std::size_t kKept = 8;
  std::array<SlowCommand, kKept> commands;  // a ring
  std::uint64_t total = 0;
};

struct User {
  std::string name;  // empty: a free row
  std::uint64_t connections = 0;
  std::uint64_t connections_peak = 0;
  std::uint64_t connections_total = 0;
  std::array<std::uint64_t, kKinds> commands{};
  std::uint64_t errors = 0;
  std::uint64_t rejected = 0;
  std::array<std::uint64_t, kDenials> denied{};
  std::uint64_t auth_failures = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::unique_ptr<SlowLog> slow;
  bool in_acl = false;

  std::uint64_t commands_total() const { return std::accumulate(commands.begin(), commands.end(), std::uint64_t{0}); }
  std::uint64_t denied_total() const { return std::accumulate(denied.begin(), denied.end(), std::uint64_t{0}); }
  void connected() {
    connections_peak = std::max(connections_peak, ++connections);
    ++connections_total;
  }
  void disconnected() {
    if (connections > 0) --connections;
  }
};

class UserTable {
 public:
  static constexpr std::uint32_t kInternal = 0;  // "(internal)"
  static constexpr std::uint32_t kOther = 1;     // "(other)"
  static constexpr std::uint32_t kFirst = 2;     // rows of users start here

  explicit UserTable(std::size_t capacity);

  // The row of this user, made if there is room; else kOther. Only for users that the server named: never for an
  // attempted one.
  std::uint32_t row_of(std::string_view name);
  // The row of this user, or 0 (kInternal) where it has none. Makes nothing.
  std::uint32_t find(std::string_view name) const;

  User& operator[](std::uint32_t row) { return rows_[row]; }
  const User& operator[](std::uint32_t row) const { return rows_[row]; }
  // Rows end here, free ones among them included.
  std::uint32_t end() const { return end_; }
  std::size_t in_use() const { return index_.size(); }
  std::size_t capacity() const { return rows_.size() - kFirst; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  // ACL names have no NUL, so a longer name is a nuisance, not a need: it shares "(other)".
  static constexpr std::size_t kLongestName = 512;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  std::vector<User> rows_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> index_;
  std::uint32_t end_ = kFirst;
  std::uint64_t dropped_ = 0;
};

}  // namespace tenants
