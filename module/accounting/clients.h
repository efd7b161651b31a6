// What is known of each connection: its user, and its open transaction.
//
// 52 bytes per connection, and what its transactions take, if it has any.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "module/accounting/steady_table.h"

namespace tenants {

// What commands are told apart by.
enum class Kind : std::uint8_t { kRead, kWrite, kAdmin, kScript, kPubsub, kOther };
inline constexpr std::size_t kKinds = 6;

// The commands of a transaction, how often each, in parts: AUTH ends one, what follows it is another user's. A pointer
// until the first one: most clients never have any.
class Transaction {
 public:
  struct Item {
    std::uint16_t command;  // its number in the command table, or kEndOfPart
    std::uint32_t times;
  };
  static constexpr std::uint16_t kEndOfPart = 0xffff;

  // O(different commands in this part). Allocates where they are more than in any transaction of this client before.
  void add(std::uint16_t command);
  void end_part() { made().push_back({kEndOfPart, 0}); }
  void clear();
  // Visits the items of the part that begins at `place`; returns where the next one begins.
  template <typename Visit>
  std::size_t visit_part(std::size_t place, Visit visit) const {
    while (place < end() && (*items_)[place].command != kEndOfPart) visit((*items_)[place++]);
    return std::min(place + 1, end());
  }
  std::size_t end() const { return items_ ? items_->size() : 0; }
  // Is there a login in it?
  bool has_parts() const {
    return items_ && std::ranges::any_of(*items_, [](const Item& item) { return item.command == kEndOfPart; });
  }
  // Is there a command for which `matches(its number)` holds?
  template <typename Matches>
  bool has(Matches matches) const {
    return items_ && std::ranges::any_of(*items_, [&](const Item& item) {
             return item.command != kEndOfPart && matches(item.command);
           });
  }

 private:
  std::vector<Item>& made() {
    if (!items_) items_ = std::make_unique<std::vector<Item>>();
    return *items_;
  }

  std::unique_ptr<std::vector<Item>> items_;
};

struct Client {
  // What every command touches comes first.
  std::uint64_t id = 0;
  std::uint32_t next = 0;  // in the bucket's chain, or in the free list
  std::uint32_t user = 0;  // row of the user table
  std::uint16_t flags = 0;
  std::uint16_t last = 0;                     // number of the command counted last
  std::uint32_t uncounted = kNothing;         // where in `queued` the part begins that ran and waits for its user
  Transaction queued;                         // the open transaction, or the one that ran last
  std::uint64_t bytes_in = 0, bytes_out = 0;  // of the connection, when last looked at

  enum Flag : std::uint16_t {
    kInMulti = 1,
    kWillFail = 2,        // the transaction: EXEC will be refused
    kQueuedIdentity = 4,  // the transaction holds a command that may change a user or the ACL
    kAnonymous = 8,       // has not logged in, as far as known: the server may refuse all but AUTH
    kWatching = 16,       // the transaction will fail if a watched key changed
    kPending = 32,        // its user may have changed: ask again
    kMonitor = 64,
    kCounted = 128,  // `last` was counted
    kRecheck = 256,  // ask again at its next command: a module may take its time to authenticate it
    kQueuedOtherDatabase = 512,
    kMayMulti = 1024,   // the server has let it begin a transaction before
    kRanQueued = 2048,  // `last` was an EXEC that counted what was queued
    kImport = 4096,     // another node, whose slots move here: what it runs is (internal)
    kUnlisted = 8192,   // CLIENT LIST must not be asked for it: its last command may have gone with a module
    kRanSince = 16384,  // it is kUnlisted, and runs a command now
    kNewBytes = 32768,  // its bytes up to the next look are another user's
  };
  static constexpr std::uint32_t kNothing = 0xffffffff;
  bool is(unsigned any_of) const { return flags & any_of; }
  void set(unsigned bits) { flags = static_cast<std::uint16_t>(flags | bits); }
  void clear(unsigned bits) { flags = static_cast<std::uint16_t>(flags & ~bits); }
};
static_assert(sizeof(Client) == 48);

using ClientTable = SteadyTable<Client>;

}  // namespace tenants
