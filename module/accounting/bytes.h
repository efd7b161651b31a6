// The bytes that went over connections are read from lines of CLIENT LIST: all connections in rounds, some at a time,
// and one by itself before it goes or changes its user. What that may cost is decided here; no server and no clock are
// known, times are in microseconds and rise.
#pragma once

#include <cstdint>

#include "module/accounting/clients.h"
#include "module/accounting/server_text.h"
#include "module/accounting/steady_table.h"
#include "module/accounting/users.h"

namespace tenants {

class Bytes {
 public:
  // What the line says beyond what was known goes to the user. Where the server has no such numbers, nothing is known
  // from now on.
  void take(const Client& client, const ClientLine& line, User& user);
  // What went over the connection before is nobody's.
  void begin(const Client& client, const ClientLine& line);
  void forget(const Client& client) { seen_.erase(client.id); }
  bool known() const { return known_; }

  // May one connection be looked at by itself? A hundredth of the time may go into that, and where little has, 50 ms at
  // once: thousands of connections.
  bool affords_look(std::uint64_t now);
  void looked(std::uint64_t usec) { credit_ -= static_cast<std::int64_t>(usec); }
  // One that closed, or changed its user, was not looked at.
  void missed_one() { ++missed_; }
  std::uint64_t missed() const { return missed_; }

  // Rounds: is it time for the next part? A round begins once a second at most.
  bool is_due(std::uint64_t now) const { return now >= next_ && (place_ > 0 || now - round_began_ >= kRound); }
  // Where the part begins that is read now, in the table of clients.
  std::uint32_t begin_part(std::uint64_t now);
  // It began then, took this much CPU time, and the next one begins at `place`; 0: the round is through. The time
  // between parts is `interval`, and 400 times what this one took.
  void end_part(std::uint32_t place, std::uint64_t began, std::uint64_t cpu, std::uint64_t interval);
  // How many of so many clients a part holds.
  static std::uint32_t part_of(std::size_t clients) {
    return static_cast<std::uint32_t>(std::max<std::size_t>(25, clients / 100));
  }

 private:
  static constexpr std::uint64_t kRound = 1'000'000;

  struct Seen {
    std::uint64_t id = 0;
    std::uint32_t next = 0;
    std::uint64_t in = 0, out = 0;
  };
  Seen& seen(const Client& client);

  SteadyTable<Seen> seen_;  // of each connection, when last looked at
  bool known_ = true;
  std::uint32_t place_ = 0;
  std::uint64_t round_began_ = 0, next_ = 0, credited_ = 0, missed_ = 0;
  std::int64_t credit_ = 0;  // for looks; below 0: none
};

}  // namespace tenants
