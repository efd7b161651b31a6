// The ACL being read, user by user, in slices. Who changed is read again; all are read at the start, after ACL LOAD,
// and where too many changed at once. No reading starts over because of another change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "module/accounting/acl.h"
#include "module/accounting/writes.h"

namespace tenants {

struct Module;

class AclReading {
 public:
  explicit AclReading(Module& module) : module_(module) {}

  // The server lets it be read.
  bool readable() const { return readable_; }
  // There is something to be read, or there will be when what the filter saw has run.
  bool wanted() const;
  // To be gone on with now? Not where the server has just refused it, or a reading has just ended; and where our calls
  // leave little else in the slow log, not at once.
  bool is_due(std::uint64_t now);
  // For at most `usec`; true when it is taken in whole. Where memory runs out it throws, and is to be called again.
  bool go_on(std::uint64_t usec);
  // Takes notice of the changes that have run by now; `done`: so has the command that the filter saw last, unless it
  // waits. O(changes), and O(clients) where users went.
  void take_notice(bool done);

 private:
  struct Reading {
    std::string name;
    UserKeys keys;
    WriteQuestions questions;
  };

  bool is_wanted() const;
  void step();
  void begin_all();
  void finish_all();
  void begin_user(const std::string& name);
  void go_on_with_user(Reading& user);
  void take_in(std::uint32_t row, const UserKeys& keys);
  void leave(std::uint32_t row);
  void read_again_who_gets_room();
  void mark_clients_of(const std::vector<std::string>& users);

  Module& module_;
  bool readable_ = true;
  std::uint64_t next_usec_ = 0;    // not to be read again before then
  std::uint64_t wanted_usec_ = 0;  // since when, as far as seen; 0: it is not
  std::uint64_t spent_usec_ = 0;   // by the reading that is under way
  bool all_running_ = false;
  std::vector<std::string> names_;  // while all are read
  std::size_t next_ = 0;
  std::optional<Reading> user_;  // who is being read: what it may write is asked in slices, too
  std::uint32_t number_ = 0;     // of the reading of all users, which each user's row keeps
};

}  // namespace tenants
