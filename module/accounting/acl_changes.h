// Changes of the ACL: told of, until it is known that they ran; then whose rules are to be read again.
//
// The filter sees a change before it runs, if it ever does: it may be refused, wait for EXEC, or for the end of a
// CLIENT PAUSE. Where nobody knows any more which user it was, all are read again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tenants {

class AclChanges {
 public:
  static constexpr std::size_t kMostTold = 1000, kMostUsers = 1000;

  // `user`: empty for all; `queued`: in a transaction; `closes`: the connections of users that go. Never throws.
  // O(changes that are told of), as the others here.
  void tell(std::uint64_t client, std::string_view user, bool queued, bool closes);
  void begins(std::uint64_t client);            // another command: what it sent before has run, or was refused
  void exec_runs(std::uint64_t client);         // what it has queued is about to run
  void forget(std::uint64_t client);            // its transaction
  void rejected(std::uint64_t client);          // the command that it has just sent
  void gone(std::uint64_t client, bool waits);  // `waits`: what it sent last has not run, and never will
  // Time goes on: a client that was free at one tick has run its command at the next but one.
  void tick() { ++ticks_; }

  enum class Client : std::uint8_t {
    kNone,     // it has left, so all that it sent and that could run has run
    kFree,     // it waits for nothing, as far as is known
    kBlocked,  // by data, by a pause; or nobody may ask
    kRunsNow,  // a command of its own: its changes may have run, and more may come
  };
  // What has run since, or may have.
  struct Ran {
    bool any = false, closes_all = false;
    std::vector<std::string> closes;  // whose connections may be closed
  };
  // Where memory runs out, that is everything. `client`: one that told of a change; not 0.
  Ran settle(const std::function<Client(std::uint64_t client)>& client);
  bool any_told() const { return !told_.empty(); }
  // Something is told of that needs no EXEC.
  bool awaits() const;

  // To be read again.
  void read(std::string_view user);
  void read_all() { all_ = true; }
  bool has_users() const { return all_ || !users_.empty(); }
  const std::vector<std::string>& users() const { return users_; }
  void was_read(const std::string& user) { std::erase(users_, user); }
  void all_are_read() { all_ = false; }

 private:
  struct Told {
    std::uint64_t client = 0;  // 0: it has run
    std::string user;          // empty: all
    bool queued = false, closes = false;
    std::uint64_t waited = 0;  // the number of the tick at which it was last seen to wait; 0: never
  };
  bool waits(Told& told, Client client) const;

  std::vector<Told> told_;
  std::uint64_t lost_ = 0;  // the client of whose changes some could not be kept; kSeveral
  std::uint64_t ticks_ = 1;
  bool all_ = true;
  std::vector<std::string> users_;
};

}  // namespace tenants
