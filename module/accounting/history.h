// What all tenants had used at some moments of the last minutes, so that their use over the last 10 s, minute and five
// minutes can be told. Fixed size: three rings of six moments each; the columns of a moment are shared.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "module/accounting/columns.h"

namespace tenants {

struct Moment {
  std::uint64_t usec = 0;
  std::shared_ptr<const PackedColumns> columns;  // null: none
  bool counted = true;                           // all keys were: before, what is met seems to have come
};

class History {
 public:
  static constexpr std::array<std::uint64_t, 3> kWindows = {10'000'000, 60'000'000, 300'000'000};  // µs
  // A window reaches back to a moment between its length and this many steps more; a step is a fifth of it.
  static constexpr std::uint64_t kSteps = 5;

  // Would a moment be kept that is added now? So many are, however often one is offered.
  bool wants(std::uint64_t usec) const;
  // Every kWindows[0] / kSteps or oftener; what is not wanted is passed over.
  void add(const Moment& moment);
  // The latest moment at least `kWindows[window]` ago; the oldest there is if it is younger than that; null columns
  // where there is none. `counted`: of those that are.
  Moment before(std::size_t window, std::uint64_t now, bool counted = false) const;
  void clear() { *this = History(); }

 private:
  bool wants(std::size_t window, std::uint64_t usec) const;
  std::array<std::array<Moment, kSteps + 1>, kWindows.size()> rings_;  // the latest first
};

}  // namespace tenants
