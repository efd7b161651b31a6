// Keys in slots that move here as a whole (CLUSTER MIGRATESLOTS, Valkey 9.0+). The server tells of each as it comes,
// and of its end, but leaves them out of DBSIZE and SCAN until the import of their slots ends: then all that are there
// count at once. So they are counted apart, by import, prefix row and database. Replicas hear of imports, too.
//
// There are kMostRecords of counts, and kMost imports at once, at most; beyond that an import is uncertain: what it
// brought has to be counted when it has ended.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "module/accounting/steady_table.h"

namespace tenants {

struct SlotRange {
  int first, last;  // both belong to it
  bool operator==(const SlotRange&) const = default;
};

// As the server computes it: CRC16, of what stands between the first { and the next } if anything does.
int key_slot(std::string_view key);

class Arriving {
 public:
  static constexpr std::size_t kMostRecords = std::size_t{1} << 16;  // 1.5 MB
  static constexpr std::uint8_t kNone = 0, kMost = 254;

  // An import of these slots. `from_start`: none of its keys has come yet; else what has come is not known.
  void begin(std::span<const SlotRange> slots, bool from_start);
  // The import of these slots has ended; calls `take(db, row, keys)` for what is there of them. False where that is not
  // certain to be all, and in these rows. O(records) once per import.
  template <typename Take>
  bool end(std::span<const SlotRange> slots, Take take);
  bool none() const { return slots_ == 0; }  // no import is under way
  bool empty() const { return records_.size() == 0; }

  // To which import the key belongs; kNone: its slot does not move here. O(length of the key).
  std::uint8_t import_of(std::string_view key) const { return import_of_[static_cast<std::size_t>(key_slot(key))]; }
  void add(std::uint8_t import, int db, std::uint32_t row, std::int64_t keys) noexcept;
  // Keys may belong to other rows now: all imports that are under way are uncertain.
  void doubt();
  void clear(int db);  // -1: all
  // The keys of these rows, ascending, are another's from now on.
  void move(std::span<const std::uint32_t> from, std::uint32_t to);

 private:
  static constexpr int kSlots = 16384;
  static constexpr std::uint8_t kUncounted = 255;  // all imports whose keys are not counted

  struct Import {
    std::uint32_t slots = 0;  // 0: none
    bool certain = true;
  };
  struct Record {
    std::uint64_t id = 0;  // import, database and row
    std::int64_t keys = 0;
    std::uint32_t next = 0;
  };
  static constexpr int kMostDatabase = (1 << 24) - 1;
  static std::uint64_t id_of(std::uint8_t import, int db, std::uint32_t row) {
    return std::uint64_t{import} << 56 | static_cast<std::uint64_t>(db) << 32 | row;
  }
  static std::uint8_t import_in(std::uint64_t id) { return static_cast<std::uint8_t>(id >> 56); }
  static int database_in(std::uint64_t id) { return static_cast<int>(id >> 32 & kMostDatabase); }
  static std::uint32_t row_in(std::uint64_t id) { return static_cast<std::uint32_t>(id); }

  std::uint8_t unused_import() const;
  void leave_slot(std::size_t slot);
  template <typename Visit>
  void for_each_record(Visit visit) {
    constexpr std::uint32_t kAtATime = 1024;
    std::uint32_t place = 0;
    do place = records_.visit_some(place, kAtATime, visit);
    while (place != 0);
  }
  template <typename Visit>
  static void for_each_slot(std::span<const SlotRange> ranges, Visit visit) {
    for (SlotRange range : ranges)
      for (int slot = std::max(range.first, 0); slot <= std::min(range.last, kSlots - 1); ++slot)
        visit(static_cast<std::size_t>(slot));
  }

  std::array<std::uint8_t, kSlots> import_of_{};
  std::array<Import, 256> imports_{};
  std::uint32_t slots_ = 0;  // that move here
  SteadyTable<Record> records_;
};

template <typename Take>
bool Arriving::end(std::span<const SlotRange> slots, Take take) {
  bool certain = true;
  for_each_slot(slots, [&](std::size_t slot) {
    std::uint8_t import = import_of_[slot];
    certain = certain && import != kNone && imports_[import].certain;
    if (import == kNone) return;
    leave_slot(slot);
    if (imports_[import].slots > 0) return;
    for_each_record([&](const Record& record) {
      if (import_in(record.id) != import) return;
      take(database_in(record.id), row_in(record.id), record.keys);
      records_.erase(record.id);
    });
  });
  return certain;
}

}  // namespace tenants
