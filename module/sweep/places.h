// Keys at random places of the table, so that there is an answer about memory seconds after the module was loaded,
// however many keys there are, and none is older than about a minute.
//
// A look is one step of Scan from a cursor that is set at random: it meets the keys of one bucket, and each key has the
// same chance, also while a table grows. It expires nothing, counts no look-up and touches no key. Where the cursor is
// in the server's object is no part of its API: that is proved before the first look, and where it can't be there are
// none. Nor are there any with more than 64 databases (16 in cluster mode), or with less than 50,000 keys: there the
// pass is quick.
//
// In cluster mode each slot has a table of its own, and the low 14 bits of the cursor are the slot. One step from a
// table's first place tells how many places it has; a slot is drawn by that, so that each key has the same chance
// again. A look also tells whether the table has another size by now.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "module/accounting/keyspace.h"
#include "module/accounting/slot_tables.h"
#include "server_api/call.h"

namespace tenants {

struct Module;

// Of the data set: equal at two moments, if nobody has changed it between them, as far as the server tells.
struct DataState {
  std::uint64_t key_events = 0, changes = 0, saved = 0;  // the latter two as INFO persistence has them
  bool operator==(const DataState&) const = default;
};

class Places {
 public:
  static constexpr std::uint64_t kFewKeys = 50'000;
  static constexpr std::size_t kMostDatabases = 64, kMostOfCluster = 16;

  // Is there to be looked now? Asks the server how many keys there are every 2 s, and every 30 s whether any changed.
  bool wants(Module& module, std::uint64_t now_usec);
  // One look. O(keys of a bucket), some 1.5 to 3 µs each. Where memory runs out it tells less.
  void look(Module& module);

  // What was met in this period of 30 s and the one before; 0: none. Where nothing has changed in this one, it goes on
  // for as long, and the one before tells nothing.
  std::uint64_t period() const { return available_ ? period_ : 0; }
  bool is_steady() const { return steady_; }
  // So many keys, of so many that there are.
  double met() const { return steady_ ? met_ : met_ + met_before_; }
  double keys() const { return static_cast<double>(keys_); }
  // So many of them may tell as much as one: 1, but in cluster mode, where keys of a slot may be alike.
  double together() const {
    double squares = steady_ ? squares_ : squares_ + squares_before_;
    return cluster_ && met() > 0 ? squares / met() : 1;
  }
  // Since when, by the monotonic clock.
  std::uint64_t since_usec() const { return steady_ ? period_usec_ : before_usec_; }
  // What was met says nothing any more.
  void forget();
  // For the first 30 or 60 s more may be spent.
  bool is_new() const { return is_new_; }

  // As Scan's callback is told.
  void on_met(Module& module, server_api::String* name, server_api::Key* key);

 private:
  // In cluster mode, 17 kB.
  struct Slots {
    SlotTables tables;
    std::uint32_t next = 0;  // to be sized up; kSlots: all have been in this period
    bool sized_up = false;   // all have been, once
  };
  struct Database {
    int db = 0;
    double keys = 0;
    double keys_per_look = 1;
    std::unique_ptr<Slots> slots = {};
  };
  enum class Proof : std::uint8_t { kNone, kGood, kBad };

  bool read_sizes(Module& module);
  bool prove(Module& module);
  Database& draw();
  // In cluster mode: how many places the table of this slot has. Returns the next slot that may have keys.
  std::uint32_t size_up(Module& module, Database& at, std::uint32_t slot);
  void size_up_next(Module& module, Database& at);
  void look_in_slot(Module& module);
  void select(Module& module, const Database& at);
  void look_at(Module& module, const Database& at, std::uint64_t place);
  bool may_measure(bool first);

  server_api::OwnedCursor cursor_;
  Proof proof_ = Proof::kNone;
  bool available_ = false;
  std::vector<Database> databases_;
  std::uint64_t keys_ = 0, coins_ = 0;
  std::uint64_t period_ = 0, sized_usec_ = 0;
  std::uint64_t period_usec_ = 0, before_usec_ = 0;  // when this one and the one before began
  std::uint64_t first_usec_ = 0;
  std::uint64_t compared_usec_ = 0;  // when it was seen whether anything had changed
  bool is_new_ = true, steady_ = false, resting_ = false;
  std::optional<DataState> as_of_;  // when the period began
  int db_ = 0;                      // in which it looks
  bool cluster_ = false;
  std::uint64_t turns_ = 0;
  double met_ = 0, met_before_ = 0, met_now_ = 0;
  double squares_ = 0, squares_before_ = 0;  // of how many each look met
  std::uint64_t looks_ = 0;
  double calls_ = 0;  // of MEMORY USAGE that may be made
};

// Nothing where the server does not tell of every key that comes or goes.
std::optional<DataState> data_state(Module& module);

}  // namespace tenants
