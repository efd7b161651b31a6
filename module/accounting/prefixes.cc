#include "module/accounting/prefixes.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace tenants {

void Measured::add(const Measured& other) {
  seen += other.seen;
  with_ttl += other.with_ttl;
  ttl_msec += other.ttl_msec;
  sample.add(other.sample);
  for (const LargeKey& key : other.largest.keys()) largest.add(key, other.largest.memory());
}

const Measured* Prefix::seen_in(std::uint64_t pass) const {
  for (const Measured* measured : {newer_.get(), older_.get()})
    if (measured && measured->pass == pass) return measured;
  return nullptr;
}

Measured& Prefix::seen_now(std::uint64_t pass, std::uint64_t complete) {
  if (newer_ && newer_->pass == pass) return *newer_;
  if (newer_ && newer_->pass == complete) std::swap(newer_, older_);
  if (!newer_) newer_ = std::make_unique<Measured>();
  *newer_ = {.pass = pass};
  return *newer_;
}

void Prefix::take_over(Prefix& other) {
  cache.add(std::exchange(other.cache, {}));
  for (std::unique_ptr<Measured>* theirs : {&other.newer_, &other.older_}) {
    if (!*theirs) continue;
    bool done = false;
    for (std::unique_ptr<Measured>* mine : {&newer_, &older_})
      if (!done && *mine && (*mine)->pass == (*theirs)->pass) (*mine)->add(**theirs), done = true;
    if (!done && (!newer_ || newer_->pass < (*theirs)->pass))
      std::swap(newer_, older_), newer_ = std::move(*theirs);
    else if (!done && (!older_ || older_->pass < (*theirs)->pass))
      older_ = std::move(*theirs);
  }
}

PrefixTable::PrefixTable(std::size_t capacity, std::string separators, std::uint64_t seed)
    : rows_(kFirst + capacity),
      slots_(std::bit_ceil(2 * rows_.size())),
      separators_(std::move(separators)),
      seed_(seed),
      multiplier_((seed ^ 0x9e3779b97f4a7c15u) | 1) {
  rows_[kNone].name = "(none)";
  rows_[kOther].name = "(other)";
  free_.reserve(capacity);
}

std::uint64_t PrefixTable::hash_of(std::string_view name, bool exact) const {
  std::uint64_t hash = seed_;
  for (char byte : name) hash = step(hash, byte);
  return exact ? ~hash : hash;
}

std::uint32_t PrefixTable::find(std::uint64_t hash, std::string_view name, bool exact) const {
  std::size_t mask = slots_.size() - 1;
  for (std::size_t at = (hash >> 32) & mask; slots_[at].row; at = (at + 1) & mask) {
    const Prefix& prefix = rows_[slots_[at].row];
    if (slots_[at].hash == hash && prefix.exact == exact && prefix.name == name) return slots_[at].row;
  }
  return 0;
}

std::uint32_t PrefixTable::make(std::uint64_t hash, std::string_view name, bool exact) {
  if (name.size() > kLongestName || !has_room()) {
    ++dropped_;
    return 0;
  }
  Prefix prefix;
  prefix.name = name;  // no memory: nothing has changed
  prefix.exact = exact;
  std::uint32_t row = end_;
  if (free_.empty()) {
    ++end_;
  } else {
    row = free_.back();
    free_.pop_back();
  }
  rows_[row] = std::move(prefix);
  ++in_use_;
  std::size_t mask = slots_.size() - 1, at = (hash >> 32) & mask;
  while (slots_[at].row) at = (at + 1) & mask;
  slots_[at] = {hash, row};
  return row;
}

void PrefixTable::release(std::uint32_t row) {
  std::size_t mask = slots_.size() - 1;
  std::size_t at = (hash_of(rows_[row].name, rows_[row].exact) >> 32) & mask;
  while (slots_[at].row != row) at = (at + 1) & mask;
  // Linear probing without tombstones: move up whatever may move up.
  for (std::size_t next = (at + 1) & mask; slots_[next].row; next = (next + 1) & mask) {
    std::size_t wanted = (slots_[next].hash >> 32) & mask;
    if (((next - wanted) & mask) >= ((next - at) & mask)) {
      slots_[at] = slots_[next];
      at = next;
    }
  }
  slots_[at] = {};
  rows_[kOther].cache.add(rows_[row].cache);
  rows_[row] = Prefix{};
  free_.push_back(row);
  --in_use_;
}

void PrefixTable::adopt(std::string_view name) {
  std::uint64_t hash = hash_of(name, false);
  if (!find(hash, name, false)) make(hash, name, false);
}

std::vector<std::uint32_t> PrefixTable::named(std::string_view name) const {
  std::vector<std::uint32_t> rows;
  for (bool exact : {false, true})
    if (std::uint32_t row = find(hash_of(name, exact), name, exact)) rows.push_back(row);
  for (std::uint32_t own : {kNone, kOther})
    if (rows.empty() && rows_[own].name == name) rows.push_back(own);
  return rows;
}

std::string_view PrefixTable::segment_of(std::string_view key) const {
  std::size_t separator = key.find_first_of(separators_);
  return separator < kLongestName ? key.substr(0, separator + 1) : std::string_view();
}

std::uint32_t PrefixTable::match(std::string_view key, bool may_make) {
  std::uint32_t best = 0;
  std::uint64_t hash = seed_, segment_hash = 0;
  std::size_t segment = 0, done = 0;
  std::size_t separator = key.find_first_of(separators_);
  for (auto [length, heads] : lengths_) {
    if (length > key.size()) break;
    for (; done < length; ++done) {
      hash = step(hash, key[done]);
      if (done == separator) segment_hash = hash, segment = done + 1;
    }
    if (std::uint32_t row = find(hash, key.substr(0, length), false); row && rows_[row].in_acl) best = row;
    if (exact_rows_ && length == key.size())
      if (std::uint32_t row = find(~hash, key, true); row && rows_[row].in_acl) best = row;
  }
  if (best) return best;
  if (separator == std::string_view::npos) return kNone;
  if (separator >= kLongestName) return kOther;
  for (; !segment; ++done) {
    hash = step(hash, key[done]);
    if (done == separator) segment_hash = hash, segment = done + 1;
  }
  std::string_view name = key.substr(0, segment);
  if (std::uint32_t row = find(segment_hash, name, false)) return row;
  if (!may_make) return kOther;
  std::uint32_t row = full_ ? 0 : make(segment_hash, name, false);
  if (row) return row;
  full_ = true;
  return kOther;
}

bool PrefixTable::is_first_segment(std::string_view name) const {
  return !name.empty() && name.find_first_of(separators_) == name.size() - 1;
}

bool PrefixTable::has_shorter_in_acl(std::string_view name) const {
  for (auto [length, heads] : lengths_) {
    if (length >= name.size()) break;
    std::string_view head = name.substr(0, length);
    if (std::uint32_t row = find(hash_of(head, false), head, false); row && rows_[row].in_acl) return true;
  }
  return false;
}

// A head that comes or goes leaves every counted key where it is only if it is just what an orphan's row covers, and no
// other head lies above it. That is the usual case (`app1:`); anything else counts again.
bool PrefixTable::moves_keys(const Prefix& prefix) const {
  return prefix.exact || !is_first_segment(prefix.name) || has_shorter_in_acl(prefix.name);
}

PrefixTable::Entered PrefixTable::enter_acl(std::string_view name, bool exact, const std::function<bool()>& make_room) {
  auto length = static_cast<std::uint32_t>(name.size());
  lengths_.reserve(lengths_.size() + 1);
  std::uint64_t hash = hash_of(name, exact);
  std::uint32_t row = find(hash, name, exact);
  bool known = row != 0;
  if (!row && !has_room() && name.size() <= kLongestName) full_ |= make_room();
  if (!row) row = make(hash, name, exact);
  if (!row) return {};  // its keys stay with their segment or "(other)"; dropped() says so
  Prefix& prefix = rows_[row];
  if (std::exchange(prefix.in_acl, true)) return {row, false};
  auto place = std::ranges::lower_bound(lengths_, length, {}, &Length::length);
  if (place == lengths_.end() || place->length != length) place = lengths_.insert(place, {length, 0});
  ++place->heads;
  exact_rows_ += exact;
  return {row, (!known && full_) || moves_keys(prefix)};
}

bool PrefixTable::leave_acl(std::uint32_t row) {
  Prefix& prefix = rows_[row];
  bool moves = moves_keys(prefix);
  prefix.in_acl = false;
  prefix.owner = prefix.users = 0;
  exact_rows_ -= prefix.exact;
  auto place = std::ranges::lower_bound(lengths_, prefix.name.size(), {}, &Length::length);
  if (--place->heads == 0) lengths_.erase(place);
  return moves;
}

}  // namespace tenants
