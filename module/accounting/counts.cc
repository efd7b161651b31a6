#include "module/accounting/counts.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace tenants {
namespace {

constexpr std::size_t kKeptPlaces = 4096;     // of an empty table
constexpr std::size_t kKeptDatabases = 1024;  // that have no keys any more

}  // namespace

void Counts::drop_records() {
  records_.reset();
  next_erased_ = 0;
}

void Counts::forget_records() {
  drop_records();
  recorded_ = false;
}

void Counts::erase(std::uint64_t id) {
  records_->erase(id);
  if (records_->size() == 0 && records_->places() > kKeptPlaces) drop_records();
}

// Of what a flush left. As many records as there can be take 16,384 calls, one per new record.
void Counts::erase_some() {
  next_erased_ = records_->visit_some(next_erased_, 4, [&](Record& record) {
    if (record.keys == 0) records_->erase(record.id);
  });
}

void Counts::record(std::uint32_t identity, std::uint32_t row, std::int64_t keys) noexcept {
  std::uint64_t id = id_of(identity, row);
  Record* record = records_ ? records_->find(id) : nullptr;
  if (record) {
    record->keys += keys;
    if (record->keys == 0) erase(id);
    return;
  }
  if (records_) erase_some();
  if (records() == kMostRecords) return forget_records();
  try {
    if (!records_) records_.emplace();
    records_->insert(id).keys = keys;
  } catch (...) {  // out of memory
    forget_records();
  }
}

void Counts::add(int db, std::uint32_t row, std::int64_t keys) {
  auto [found, is_new] = databases_.try_emplace(db);
  Database& database = found->second;
  if (is_new) database.identity = ++identities_;
  database.total += keys;
  total_ += keys;
  by_row_[row] += keys;
  if (home_ == 0) home_ = database.identity;
  bool elsewhere = database.identity != home_;
  if (elsewhere && recorded_) record(database.identity, row, keys);
  if (elsewhere && database.total == 0 && databases_.size() > kKeptDatabases) databases_.erase(found);
}

bool Counts::clear(int db) {
  auto found = databases_.find(db);
  if (found == databases_.end()) return true;
  Database& database = found->second;
  total_ -= std::exchange(database.total, 0);
  if (total_ == 0 && std::ranges::all_of(databases_, [](const auto& other) { return other.second.total == 0; })) {
    clear();
    return true;
  }
  if (!recorded_) return false;
  if (database.identity == home_) {
    std::ranges::fill(by_row_, 0);
    for_each_record([&](Record& record) { by_row_[static_cast<std::uint32_t>(record.id)] += record.keys; });
    return true;
  }
  for_each_record([&](Record& record) {  // to erase them, too, would take four times as long: record() does
    if (record.id >> 32 == database.identity)
      by_row_[static_cast<std::uint32_t>(record.id)] -= std::exchange(record.keys, 0);
  });
  return true;
}

void Counts::clear() {
  std::ranges::fill(by_row_, 0);
  databases_.clear();
  total_ = 0;
  home_ = 0;
  drop_records();
  recorded_ = true;
}

void Counts::swap(int a, int b) {
  auto of_a = databases_.extract(a), of_b = databases_.extract(b);  // no memory is needed
  if (of_a) of_a.key() = b, databases_.insert(std::move(of_a));
  if (of_b) of_b.key() = a, databases_.insert(std::move(of_b));
}

void Counts::move(std::span<const std::uint32_t> from, std::uint32_t to) {
  for (std::uint32_t row : from) by_row_[to] += std::exchange(by_row_[row], 0);
  for_each_record([&](Record& moved) {
    if (!std::ranges::binary_search(from, static_cast<std::uint32_t>(moved.id))) return;
    auto identity = static_cast<std::uint32_t>(moved.id >> 32);
    std::int64_t keys = moved.keys;
    records_->erase(moved.id);  // its place is free for the other one: that needs no memory
    if (keys != 0) record(identity, to, keys);
  });
}

std::uint64_t Counts::distance(const Counts& other) const {
  std::uint64_t distance = 0;
  for (std::size_t row = 0; row < by_row_.size(); ++row)
    distance += static_cast<std::uint64_t>(std::abs(by_row_[row] - other.by_row_[row]));
  return distance;
}

}  // namespace tenants
