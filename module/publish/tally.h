// All rows, added up and made sortable: what each tenant uses, the sums of all, and the order of users and prefixes.
//
// A tally is a walk over all users and prefixes. With few of them (kAtOnce) it is made whenever somebody asks. With
// more, one is made every kPeriodUsec, in slices, and what is asked for comes from the last one. So no question costs
// more than the rows it is answered with. Who forms a group changes with a tally, too.
#pragma once

#include <deque>

#include "module/accounting/columns.h"
#include "module/accounting/groups.h"
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
  static_assert(std::size(kTenantColumns) <= Columns::kMostColumns);
};

// The one that holds, and the one under way.
class Tallies {
 public:
  const Tally& last() const { return last_; }
  const Groups& groups() const { return groups_; }  // tenants.groups, as they were when that was made
  // By row, each as the last tally that came to it found it; what to sort by.
  using UserRows = Rows<std::size(kUserColumns)>;
  using PrefixRows = Rows<std::size(kPrefixColumns) + 1>;
  const UserRows& users() const { return users_; }
  const PrefixRows& prefixes() const { return prefixes_; }
  // What the last tally found of the prefix of this row and identity (PrefixTable); null where another one had the row.
  const PrefixRows::Row* of_prefix(std::uint32_t row, std::uint64_t identity) const {
    const PrefixRows::Row* found = prefixes_.find(row);
    return found && (*found)[kIdentity] == identity ? found : nullptr;
  }
  const std::deque<std::uint32_t>& tenant_of() const { return tenant_of_; }  // by row of the prefixes
  const History& history() const { return history_; }
  // Goes on with the one under way, or begins one if it is time, for at most `usec`.
  void work(const Module& module, std::uint64_t usec);
  // These of tenants.groups hold from the next tally on, which begins now: until then all rows are by those from
  // before. Where there was none yet, they hold at once.
  void regroup(const Module& module, const std::string& text);
  // Makes one now if there are few rows, or there is none.
  void bring_up_to_date(const Module& module);
  // Counters of users began anew.
  void counters_began_anew(const Module& module);

 private:
  bool is_small(const Module& module) const;
  const Groups& next_groups() const { return new_groups_ ? *new_groups_ : groups_; }
  void begin(const Module& module);
  bool advance(const Module& module, std::uint64_t until, const server_api::Growth* growth);
  void end(const Module& module);

  Tally last_, next_;
  static constexpr std::size_t kIdentity = std::size(kPrefixColumns);  // a column more
  UserRows users_;
  PrefixRows prefixes_;
  std::deque<std::uint32_t> tenant_of_, new_tenant_of_;  // the latter by new groups
  Groups groups_;
  std::optional<Groups> new_groups_;       // of the next tally
  std::shared_ptr<PackedColumns> packed_;  // the tenants of next_
  History history_;
  bool running_ = false;
  std::uint32_t user_ = 0, prefix_ = 0;
  std::uint32_t users_end_ = 0, prefixes_end_ = 0;  // rows there were when it began: who came since is in the next one
  std::uint64_t began_usec_ = 0;
};

}  // namespace tenants
