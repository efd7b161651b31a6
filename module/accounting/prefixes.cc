#include "module/accounting/prefixes.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "module/accounting/glob.h"

namespace tenants {

void Prefix::take_over(Prefix& other) {
  cache.add(std::exchange(other.cache, {}));
  SeenKeys::take_over(other);
}

PrefixTable::PrefixTable(std::size_t capacity, std::string separators, std::uint64_t seed)
    : capacity_(capacity),
      rows_(kFirst),
      slots_(std::bit_ceil(2 * capacity)),
      separators_(std::move(separators)),
      seed_(seed),
      multiplier_((seed ^ 0x9e3779b97f4a7c15u) | 1) {
  for (auto [row, name] : {std::pair(kNone, "(none)"), std::pair(kOther, "(other)")}) {
    rows_[row].name = name;
    rows_[row].hash = hash_of(name, rows_[row].covers);
  }
  free_.reserve(capacity);
}

std::uint64_t PrefixTable::hash_of(std::string_view name, Covers covers) const {
  std::uint64_t hash = seed_;
  for (char byte : name) hash = step(hash, byte);
  return covers == Covers::kOne ? ~hash : covers == Covers::kMatching ? std::rotl(hash, 32) : hash;
}

std::uint32_t PrefixTable::find(std::uint64_t hash, std::string_view name, Covers covers) const {
  std::size_t mask = slots_.size() - 1;
  for (std::size_t at = (hash >> 32) & mask; slots_[at].row; at = (at + 1) & mask) {
    const Prefix& prefix = rows_[slots_[at].row];
    if (slots_[at].hash == hash && prefix.covers == covers && prefix.name == name) return slots_[at].row;
  }
  return 0;
}

std::uint32_t PrefixTable::find_in_acl(std::uint64_t hash, std::string_view name, Covers covers) const {
  std::uint32_t row = find(hash, name, covers);
  return row && rows_[row].in_acl ? row : 0;
}

// The best of those with this head that match. What has another head of the same hash can do so only rightly.
std::uint32_t PrefixTable::find_matching(std::uint64_t hash, std::string_view key) const {
  if (const Place* found = place(hash))
    for (std::uint32_t row : found->rows)
      if (const Prefix& prefix = rows_[row]; matches(std::string_view(prefix.name).substr(prefix.glob), key))
        return row;
  return 0;
}

bool PrefixTable::goes_before(std::uint32_t a, std::uint32_t b) const {
  auto rank = [this](std::uint32_t row) {
    const Prefix& prefix = rows_[row];
    auto glob = static_cast<std::ptrdiff_t>(prefix.name.size() - prefix.glob);
    return std::tuple(-glob, prefix.name.size(), std::string_view(prefix.name));
  };
  return rank(a) < rank(b);
}

// So that a row can be put there without memory.
void PrefixTable::make_places(const std::vector<std::uint64_t>& places) {
  for (std::uint64_t id : places) {
    Place* place = places_.find(id);
    if (!place) place = &places_.insert(id);
    place->rows.reserve(place->rows.size() + 1);
  }
}

void PrefixTable::erase_if_empty(std::uint64_t id) {
  if (const Place* place = places_.find(id); place && place->rows.empty()) places_.erase(id);
}

std::uint32_t PrefixTable::make(std::uint64_t hash, std::string_view name, Covers covers) {
  if (name.size() > kLongestName || !has_room()) {
    ++dropped_;
    return 0;
  }
  Prefix prefix;
  prefix.name = name;  // no memory: nothing has changed
  prefix.hash = hash;
  prefix.covers = covers;
  std::uint32_t row = end();
  if (free_.empty()) {
    rows_.add();
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
  std::size_t at = (rows_[row].hash >> 32) & mask;
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
  std::uint64_t hash = hash_of(name, Covers::kBelow);
  if (!find(hash, name, Covers::kBelow)) make(hash, name, Covers::kBelow);
}

std::vector<std::uint32_t> PrefixTable::named(std::string_view name) const {
  std::vector<std::uint32_t> rows;
  for (Covers covers : {Covers::kBelow, Covers::kOne, Covers::kMatching})
    if (std::uint32_t row = find(hash_of(name, covers), name, covers)) rows.push_back(row);
  std::erase_if(rows, [&](std::uint32_t row) { return title(row).name != name; });
  for (std::uint32_t row = kFirst; row < end() && !plain_.empty(); ++row)
    if (rows_[row].plain && title(row).name == name && !std::ranges::count(rows, row)) rows.push_back(row);
  for (std::uint32_t own : {kNone, kOther})
    if (rows.empty() && rows_[own].name == name) rows.push_back(own);
  return rows;
}

PrefixTable::Title PrefixTable::title(std::uint32_t row) const {
  const Prefix& prefix = rows_[row];
  Title own{prefix.name, prefix.covers, false};
  if (plain_.empty() || row < kFirst) return own;
  if (prefix.plain && prefix.in_acl) {
    std::string_view name = plain_name(prefix);
    std::uint32_t other = find(hash_of(name, prefix.plain_covers), name, prefix.plain_covers);
    bool is_taken = other && !rows_[other].is_orphan();
    if (!is_taken && is_only_plain(identity(name, prefix.plain_covers))) return {name, prefix.plain_covers, false};
  }
  own.elsewhere = prefix.is_orphan() && is_only_plain(identity(row));
  return own;
}

std::string_view PrefixTable::segment_of(std::string_view key) const {
  std::size_t separator = end_of_segment(key);
  return separator < kLongestName ? key.substr(0, separator + 1) : std::string_view();
}

std::uint32_t PrefixTable::match(int db, std::string_view key, bool may_make) {
  std::uint32_t best = 0, named = 0;  // `named`: longer than the best
  std::uint64_t hash = seed_, segment_hash = 0;
  std::size_t segment = 0, done = 0;
  std::size_t separator = end_of_segment(key);
  for (auto [length, heads, matching, limited] : lengths_) {
    if (length > key.size()) break;
    for (; done < length; ++done) {
      hash = step(hash, key[done]);
      if (done == separator) segment_hash = hash, segment = done + 1;
    }
    if (std::uint32_t row = heads ? find(hash, key.substr(0, length), Covers::kBelow) : 0) {
      if (rows_[row].in_acl)
        best = row, named = 0;
      else if (rows_[row].named)
        named = row;
    }
    if (matching)
      if (std::uint32_t row = find_matching(hash, key)) best = row;
    if (limited)
      if (std::uint32_t row = find_matching(hash_in(db, hash), key)) best = row;
    if (rows_of_one_ && length == key.size())
      if (std::uint32_t row = find_in_acl(~hash, key, Covers::kOne)) best = row;
  }
  if (named && (!best || rows_[best].covers == Covers::kBelow)) return named;
  if (best) return best;
  if (separator == std::string_view::npos) return kNone;
  if (separator >= kLongestName) return kOther;
  for (; !segment; ++done) {
    hash = step(hash, key[done]);
    if (done == separator) segment_hash = hash, segment = done + 1;
  }
  std::string_view name = key.substr(0, segment);
  if (std::uint32_t row = find(segment_hash, name, Covers::kBelow)) return row;
  if (!may_make) return kOther;
  std::uint32_t row = full_ ? 0 : make(segment_hash, name, Covers::kBelow);
  if (row) return row;
  full_ = true;
  return kOther;
}

bool PrefixTable::is_first_segment(std::string_view name) const {
  return name.size() > 1 && end_of_segment(name) == name.size() - 1;
}

// Some head is shorter, so that its pattern may have keys that begin with this name.
bool PrefixTable::has_shorter(std::string_view name) const {
  for (auto [length, heads, matching, limited] : lengths_) {
    if (length >= name.size()) break;
    if (limited) return true;
    std::string_view head = name.substr(0, length);
    std::uint64_t hash = hash_of(head, Covers::kBelow);
    if (std::uint32_t row = find(hash, head, Covers::kBelow); row && !rows_[row].is_orphan()) return true;
    if (matching && place(hash)) return true;
  }
  return false;
}

std::uint32_t PrefixTable::owner(std::uint32_t row) const {
  const Prefix& prefix = rows_[row];
  if (prefix.in_acl || !(prefix.named || prefix.left)) return prefix.owner;
  std::uint32_t covers_it = 0;
  for (auto [length, heads, matching, limited] : lengths_) {
    if (length >= prefix.name.size()) break;
    std::string_view head = std::string_view(prefix.name).substr(0, length);
    if (std::uint32_t found = heads ? find_in_acl(hash_of(head, Covers::kBelow), head, Covers::kBelow) : 0)
      covers_it = found;
  }
  return covers_it ? rows_[covers_it].owner : 0;
}

// A pattern that comes or goes leaves every counted key where it is only if it is just what an orphan's row covers, and
// no other head lies above it. That is the usual case (`app1:*`); anything else counts again.
bool PrefixTable::moves_keys(const Prefix& prefix) const {
  return prefix.covers != Covers::kBelow || !is_first_segment(prefix.name) || has_shorter(prefix.name);
}

PrefixTable::Entered PrefixTable::enter(std::string_view name, Covers covers, bool Prefix::*by,
                                        const std::function<bool()>& make_room) {
  Limits limits{{}, name};
  auto length = static_cast<std::uint32_t>(name.size());  // of its head
  std::vector<std::uint64_t> places;
  if (covers == Covers::kMatching) {
    limits = limits_of_name(name);
    length = for_each_place(name, [&](std::uint64_t id) { places.push_back(id); });
  }
  std::string_view plain;
  Covers plain_covers = covers;
  std::uint64_t plain_id = 0;
  if (!limits.databases.empty()) {
    KeyPattern in_all = pattern_of_glob(limits.glob);
    if (limits.glob.starts_with(in_all.name)) plain = limits.glob.substr(0, in_all.name.size());  // else: backslashes
    plain_covers = in_all.covers;
    plain_id = identity(plain, plain_covers);
  }
  lengths_.reserve(lengths_.size() + 1);
  std::uint64_t hash = hash_of(name, covers);
  std::uint32_t row = find(hash, name, covers);
  if (row && rows_[row].*by) return {row, false};
  auto full = std::ranges::find_if_not(places, [this](std::uint64_t id) { return has_room_at(id); });
  if (full != places.end() || places_.size() + places.size() > kMostPlaces) {
    ++dropped_;
    return {.full = full != places.end() ? *full : kAllPlaces};
  }
  bool known = row != 0;
  if (!row && !has_room() && name.size() <= kLongestName) full_ |= make_room();
  auto undo = [&] {
    for (std::uint64_t id : places) erase_if_empty(id);
    if (auto found = plain_.find(plain_id); found != plain_.end() && found->second == 0) plain_.erase(found);
  };
  try {
    if (!plain.empty()) plain_.try_emplace(plain_id, 0);
    make_places(places);
    if (!row) row = make(hash, name, covers);
  } catch (...) {
    undo();
    throw;
  }
  if (!row) {  // its keys stay with their segment or "(other)"; dropped() says so
    undo();
    return {};
  }
  Prefix& prefix = rows_[row];
  bool moves = (!known && full_) || moves_keys(prefix), counted = !prefix.is_orphan();
  prefix.*by = true;
  if (counted) return {row, moves, true};
  prefix.glob = static_cast<std::uint32_t>(name.size() - limits.glob.size());
  if (prefix.glob) {
    prefix.plain = static_cast<std::uint32_t>(plain.size());
    prefix.plain_covers = plain_covers;
    if (prefix.plain) ++plain_.find(plain_id)->second;
  }
  auto place = std::ranges::lower_bound(lengths_, length, {}, &Length::length);
  if (place == lengths_.end() || place->length != length) place = lengths_.insert(place, {length, 0, 0, 0});
  ++(prefix.glob ? place->limited : places.empty() ? place->heads : place->matching);
  rows_of_one_ += covers == Covers::kOne;
  limited_ += prefix.glob > 0;
  auto before = [this](std::uint32_t a, std::uint32_t b) { return goes_before(a, b); };
  for (std::uint64_t id : places) {
    std::vector<std::uint32_t>& rows = places_.find(id)->rows;
    rows.insert(std::ranges::lower_bound(rows, row, before), row);
  }
  return {row, moves, true};
}

bool PrefixTable::leave(std::uint32_t row, bool Prefix::*by) {
  Prefix& prefix = rows_[row];
  bool matching = prefix.covers == Covers::kMatching, moves = moves_keys(prefix);
  prefix.*by = false;
  if (!prefix.in_acl) prefix.owner = prefix.users = 0;
  prefix.left = true;
  if (!prefix.is_orphan()) return moves;
  auto length = static_cast<std::uint32_t>(prefix.name.size());
  if (matching)
    length = for_each_place(prefix.name, [&](std::uint64_t id) {
      std::erase(places_.find(id)->rows, row);
      erase_if_empty(id);
    });
  rows_of_one_ -= prefix.covers == Covers::kOne;
  auto place = std::ranges::lower_bound(lengths_, length, {}, &Length::length);
  --(prefix.glob ? place->limited : matching ? place->matching : place->heads);
  if (place->heads + place->matching + place->limited == 0) lengths_.erase(place);
  limited_ -= prefix.glob > 0;
  if (prefix.plain)
    if (auto found = plain_.find(identity(plain_name(prefix), prefix.plain_covers)); --found->second == 0)
      plain_.erase(found);
  return moves;
}

PrefixTable::Entered PrefixTable::enter_acl(std::string_view name, Covers covers,
                                            const std::function<bool()>& make_room) {
  return enter(name, covers, &Prefix::in_acl, make_room);
}

bool PrefixTable::leave_acl(std::uint32_t row) { return leave(row, &Prefix::in_acl); }

PrefixTable::Entered PrefixTable::enter_named(std::string_view name, const std::function<bool()>& make_room) {
  return enter(name, Covers::kBelow, &Prefix::named, make_room);
}

bool PrefixTable::leave_named(std::uint32_t row) { return leave(row, &Prefix::named); }

}  // namespace tenants
