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

inline constexpr std::uint64_t kSlowNanoseconds = 10'000'000;

// A command that kept the main thread busy for this long or longer. No arguments: they are the user's own.
struct SlowCommand {
  char name[32] = {};
  std::uint64_t cpu_usec = 0;
  std::int64_t unix_msec = 0;  // when it was noticed, right after its end
};

struct SlowLog {
  static constexpr std::size_t kKept = 8;
  std::array<SlowCommand, kKept> commands;  // a ring
  std::uint64_t written = 0;
};

// What is counted of a user besides its commands. All of it goes to "(other)" with a row that is given up, and begins
// anew with RESETSTAT.
enum class Counter : std::uint8_t {
  kConnections,  // opened
  kErrors,
  kRejected,
  kDenied,  // by reason, kDenials of them
  kAuthFailures = kDenied + kDenials,
  kSlow,
  kBytesIn,
  kBytesOut,
  kEnd,
};

struct alignas(64) User {
  // What every command touches comes first.
  std::unique_ptr<std::uint64_t[]> by_number;    // commands by their number: up to the highest that it ran, or more
  std::uint32_t numbers = 0;                     // of these
  std::array<std::uint64_t, kKinds> commands{};  // the same, by kind
  // What a page of all users reads follows, in the next cache line.
  std::string name;             // empty: a free row
  std::uint64_t gone_usec = 0;  // when it was found to have left the ACL; 0: it has not
  bool in_acl = false;
  std::uint32_t acl_reading = 0;  // the number of the last reading of the ACL that named it
  std::uint64_t connections = 0;
  std::uint64_t connections_peak = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(Counter::kEnd)> counters{};
  std::uint64_t cpu_before = 0;       // of what the sampler charged to this row, what is not this user's; modulo 2^64
  std::unique_ptr<SlowLog> slow_log;  // null: none yet

  std::uint64_t commands_total() const { return std::accumulate(commands.begin(), commands.end(), std::uint64_t{0}); }
  // `more`: of a counter that is several, kDenied.
  std::uint64_t& of(Counter counter, std::size_t more = 0) {
    return counters[static_cast<std::size_t>(counter) + more];
  }
  std::uint64_t of(Counter counter, std::size_t more = 0) const {
    return counters[static_cast<std::size_t>(counter) + more];
  }
  // O(1); allocates only when the user runs a command of a higher number than ever before.
  void count(std::uint32_t number, Kind kind, std::uint64_t times = 1) {
    make_room(number);
    count_in_room(number, kind, times);
  }
  // The same where there is room.
  void count_in_room(std::uint32_t number, Kind kind, std::uint64_t times) {
    by_number[number] += times;
    commands[static_cast<std::size_t>(kind)] += times;
  }
  bool has_room(std::uint32_t number) const { return number < numbers; }
  // Then count() of numbers up to this one does not allocate.
  void make_room(std::uint32_t number);
  void take_back(std::uint32_t number, Kind kind, std::uint64_t times = 1) {
    if (!has_room(number) || by_number[number] < times) return;
    by_number[number] -= times;
    commands[static_cast<std::size_t>(kind)] -= times;
  }
  // Counters start anew; connections stay open.
  void reset(std::uint64_t cpu_nanoseconds);
  // Allocates what take_over() needs, which then does not.
  void make_room_for(const User& gone);
  // Takes over the counters of a row that is given up.
  void take_over(const User& gone, std::uint64_t cpu_nanoseconds);
  void connected() {
    connections_peak = std::max(connections_peak, ++connections);
    ++of(Counter::kConnections);
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
  // A longer name is a nuisance, not a need: it shares "(other)".
  static constexpr std::size_t kLongestName = 512;

  explicit UserTable(std::size_t capacity);

  // The row of this user, or 0 (kInternal) where it has none. Makes nothing.
  std::uint32_t find(std::string_view name) const;
  bool has_room() const { return end_ < rows_.size(); }
  // A row for a user that has none, or kOther where there is no room. Only for users that the server named: never for
  // an attempted one.
  std::uint32_t add(std::string_view name);
  // Names the users that left the ACL and have no connection, the longest gone first: whose rows may be reused. O(users
  // log users).
  void find_gone();
  // The row that may be reused next, or 0. O(1) on average.
  std::uint32_t next_gone();
  // Its counters go to kOther, and the row to the user of this name. `cpu_nanoseconds`: charged to the row so far.
  void reuse(std::uint32_t row, std::string_view name, std::uint64_t cpu_nanoseconds);

  User& operator[](std::uint32_t row) { return rows_[row]; }
  const User& operator[](std::uint32_t row) const { return rows_[row]; }
  // Rows end here, free ones among them included.
  std::uint32_t end() const { return end_; }
  std::size_t in_use() const { return index_.size(); }
  std::size_t capacity() const { return rows_.size() - kFirst; }
  std::uint64_t dropped() const { return dropped_; }
  std::uint64_t reused() const { return reused_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> index_;
  std::vector<std::uint32_t> gone_;  // the longest gone last
  std::uint32_t end_ = kFirst;
  std::uint64_t dropped_ = 0, reused_ = 0;
  std::vector<User> rows_;  // last: next to what the filter needs, too (module.h)
};

}  // namespace tenants
