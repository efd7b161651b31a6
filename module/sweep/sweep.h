// The background pass: walks all keys in short slices, counts them where the server does not tell of them, and asks for
// their size.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "module/accounting/heavy.h"
#include "module/accounting/keyspace.h"
#include "module/accounting/seen_databases.h"
#include "module/sweep/places.h"
#include "module/sweep/schedule.h"
#include "server_api/call.h"
#include "server_api/growth.h"

namespace tenants {

class Sweep {
 public:
  Sweep(Module& module, std::uint64_t seed);

  // What there is to do: tenants.slice-usec and a step of SCAN at most. Returns after how many microseconds it wants to
  // go on; nothing where it only waits. `hindered_by`: why the server must be asked nothing now; null: it may be.
  std::optional<std::uint64_t> work(const char* hindered_by);
  // Live counts against DBSIZE, which is O(1) to ask, database by database. `drift`: a difference is an error of ours.
  void check_sums(bool drift);

  // Another pass is needed, even where no key has changed.
  void want_another() { as_of_.reset(); }
  // Keys are other prefixes' now; `any`: some that have been counted may be.
  void keys_moved(bool any);
  // The record of a database may have gone.
  void databases_changed() { database_ = nullptr; }
  // As Scan's callback is told. Throws where memory runs out.
  void on_scanned(server_api::String* name, server_api::Key* key);
  void was_measured() { ++spent_.keys_measured; }

  const PassSchedule& schedule() const { return schedule_; }
  std::uint64_t passes() const { return passes_; }      // that came to their end
  std::uint64_t number() const { return number_; }      // of the pass that runs, or ran last; from 1
  std::uint64_t complete() const { return complete_; }  // of the last one whose numbers hold; 0: none
  double progress() const;                              // of the pass that runs, 0 to 1
  bool moved() const { return moved_; }                 // keys have not been counted anew since they moved
  std::uint64_t coins() const { return coins_; }        // random
  struct Spent {
    std::uint64_t keys_measured = 0, cpu_usec = 0;
    std::uint64_t longest_slice_usec = 0, longest_slice_cpu_usec = 0;
    std::uint64_t slices = 0, long_slices = 0;  // these took more than twice tenants.slice-usec of CPU time
  };
  const Spent& spent() const { return spent_; }

 private:
  double coin();
  double target() const;
  double keys_per_met(std::uint32_t row, const Measured& pass) const;
  void note_largest(Measured& pass, server_api::String* name, int type, std::uint64_t bytes);
  Measured& seen_now(std::uint32_t row);
  Measured* seen_here(std::uint32_t row, Measured& pass);
  void measure_string(server_api::String* name, std::size_t value_length, std::uint32_t row,
                      std::span<Measured* const> seen_by);
  bool is_unchanged(std::uint64_t now) const;
  void begin_pass(std::uint64_t now);
  void end_pass(std::uint64_t now);
  std::uint64_t keys_now();
  bool is_outgrown();
  bool keys_come_too_fast() const;
  void select(int db);
  void go_on(std::uint64_t start, std::uint64_t limit, const server_api::Growth& growth);
  void look_around(std::uint64_t start, std::uint64_t limit, const server_api::Growth& growth);
  bool bursts() const;
  bool is_for_looks();
  std::uint64_t slice(bool looks);
  bool is_busy(std::uint64_t now);

  Module& module_;
  PassSchedule schedule_;
  server_api::OwnedCursor cursor_;
  DatabaseSizes left_;  // those that are yet to be gone through, the first of which it is at; sizes as when it began
  int db_ = 0;
  SeenDatabases::Database* database_ = nullptr;  // the one it is at; null: no room
  std::uint64_t keys_expected_ = 0, keys_seen_ = 0;
  std::uint64_t passes_ = 0, number_ = 0, complete_ = 0;
  bool scarce_ = false;                        // the next one gets little memory, for the server has little
  std::optional<HeavyNames> heavy_;            // what falls under "(other)" in this pass; made when something does
  std::vector<HeavyNames::Counted> to_adopt_;  // orphans that get a row when the next one begins
  std::optional<DataState>
      as_of_;             // when the pass that runs, or ran last, began; nothing: another one is needed anyway
  bool met_ttl_ = false;  // of a key, in that pass
  bool moved_ = false;
  std::uint64_t measured_usec_ = 0;  // when the last one ended
  Spent spent_;
  std::uint64_t coins_;             // state of the generator; not 0
  std::size_t largest_in_all_ = 0;  // bytes in the lists of largest keys of this pass
  std::uint64_t burst_usec_ = 0;    // CPU time of the burst so far
  std::uint64_t turns_ = 0;         // slices, of the pass and of looks at random places
  std::uint64_t load_usec_ = 0,
                load_cpu_usec_ = 0;  // when the main thread's load was looked at, and its CPU clock then
  bool busy_ = false;
};

}  // namespace tenants
