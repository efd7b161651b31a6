// All rows, added up and made sortable: what each tenant uses, the sums of all, and the order of users and prefixes.
//
// A tally is a walk over all users and prefixes. With few of them (kAtOnce) it is made whenever somebody asks. With
// more, one is made every kPeriodUsec, in slices, and what is asked for comes from the last one. So no question costs
// more than the rows it is answered with.
#pragma once

#include "module/accounting/columns.h"
#include "module/accounting/history.h"
#include "module/publish/columns.h"
#include "server_api/growth.h"

namespace tenants {

struct Module;

struct Totals {
  std::uint64_t connections = 0, commands = 0, cpu_usec = kAbsent;
  std::uint64_t keys = 0, orphan_keys = 0, bytes = kAbsent;
};

struct Tally {
  static constexpr std::uint32_t kAtOnce = 1000;  // rows; some 200 µs
  static constexpr std::uint64_t kPeriodUsec = 2'000'000;

  std::uint64_t usec = 0;       // when it was complete; 0: there is none
  std::uint64_t cost_usec = 0;  // on the main thread
  Totals totals;
  Columns tenants{std::size(kTenantColumns)};  // by number (rows.h)
};

// The one that holds, and the one under way.
class Tallies {
 public:
  const Tally& last() const { return last_; }
  // By row, each as the last tally that came to it found it; what to sort by.
  const Rows& users() const { return users_; }
  const Rows& prefixes() const { return prefixes_; }
  const std::deque<std::uint32_t>& tenant_of() const { return tenant_of_; }  // by row of the prefixes
  const History& history() const { return history_; }
  // Goes on with the one under way, or begins one if it is time, for at most `usec`.
  void work(const Module& module, std::uint64_t usec);
  // Makes one now if there are few rows, or there is none.
  void bring_up_to_date(const Module& module);
  // Tenants are other ones now, or their counters began anew. O(users + prefixes).
  void start_anew(const Module& module);

 private:
  void begin(const Module& module);
  bool advance(const Module& module, std::uint64_t until, const server_api::Growth* growth);
  void end(const Module& module);

  Tally last_, next_;
  Rows users_{std::size(kUserColumns)}, prefixes_{std::size(kPrefixColumns)};
  std::deque<std::uint32_t> tenant_of_;
  std::shared_ptr<PackedColumns> packed_;  // the tenants of next_
  History history_;
  bool running_ = false;
  std::uint32_t user_ = 0, prefix_ = 0;
  std::uint32_t users_end_ = 0, prefixes_end_ = 0;  // rows there were when it began: who came since is in the next one
  std::uint64_t began_usec_ = 0;
};

}  // namespace tenants
