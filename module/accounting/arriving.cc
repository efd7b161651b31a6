#include "module/accounting/arriving.h"

namespace tenants {
namespace {

// CRC16 of XMODEM, polynomial 0x1021.
constexpr std::array<std::uint16_t, 256> kCrc = [] {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}();

std::string_view hashed_part(std::string_view key) {
  std::size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  std::size_t close = key.find('}', open + 1);
  bool has_tag = close != std::string_view::npos && close > open + 1;
  return has_tag ? key.substr(open + 1, close - open - 1) : key;
}

}  // namespace

int key_slot(std::string_view key) {
  unsigned crc = 0;
  for (char byte : hashed_part(key))
    crc = (crc << 8 & 0xffff) ^ kCrc[(crc >> 8 ^ static_cast<unsigned char>(byte)) & 0xff];
  return static_cast<int>(crc & 0x3fff);
}

std::uint8_t Arriving::unused_import() const {
  for (std::uint8_t import = 1; import <= kMost; ++import)
    if (imports_[import].slots == 0) return import;
  return kUncounted;
}

void Arriving::begin(std::span<const SlotRange> slots, bool from_start) {
  std::uint8_t import = from_start ? unused_import() : kUncounted;
  imports_[import].certain = import != kUncounted;
  for_each_slot(slots, [&](std::size_t slot) {
    if (import_of_[slot] != kNone) {  // known already; the server begins no second import of a slot
      if (from_start) imports_[import_of_[slot]].certain = false;
      return;
    }
    import_of_[slot] = import;
    ++imports_[import].slots;
    ++slots_;
  });
}

void Arriving::leave_slot(std::size_t slot) {
  --imports_[import_of_[slot]].slots;
  --slots_;
  import_of_[slot] = kNone;
}

void Arriving::add(std::uint8_t import, int db, std::uint32_t row, std::int64_t keys) noexcept {
  if (import == kUncounted) return;
  std::uint64_t id = id_of(import, db, row);
  if (Record* record = records_.find(id)) {
    record->keys += keys;
    if (record->keys == 0) records_.erase(id);
    return;
  }
  try {
    if (db <= kMostDatabase && records_.size() < kMostRecords) {
      records_.insert(id).keys = keys;
      return;
    }
  } catch (...) {  // out of memory
  }
  imports_[import].certain = false;
}

void Arriving::doubt() {
  for (Import& import : imports_) import.certain = false;
}

void Arriving::clear(int db) {
  for_each_record([&](const Record& record) {
    if (db < 0 || database_in(record.id) == db) records_.erase(record.id);
  });
}

void Arriving::move(std::span<const std::uint32_t> from, std::uint32_t to) {
  for_each_record([&](const Record& moved) {
    if (!std::ranges::binary_search(from, row_in(moved.id))) return;
    std::uint64_t id = moved.id;
    std::int64_t keys = moved.keys;
    records_.erase(id);  // its place is free for the other one: that needs no memory
    add(import_in(id), database_in(id), to, keys);
  });
}

}  // namespace tenants
