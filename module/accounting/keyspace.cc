#include "module/accounting/keyspace.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

namespace tenants {
namespace {

// Sixteen bits per key let one removal in some 2,000 be mistaken (four probes); capped, because this memory is the
// server's.
constexpr std::size_t kBloomMaxBits = std::size_t{1} << 27;
constexpr int kProbes = 4;

std::uint64_t mix(std::uint64_t x) {
  x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
  x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

}  // namespace

bool Words::clear_some() {
  constexpr std::size_t kAtATime = (64 << 10) / sizeof(std::uint64_t);
  std::size_t words = std::min(kAtATime, size_ - clear_);
  std::memset(words_.get() + clear_, 0, words * sizeof(std::uint64_t));
  clear_ += words;
  return clear_ == size_;
}

FingerprintSet::FingerprintSet(std::size_t capacity) : slots_(std::bit_ceil(2 * capacity)) {}

std::size_t FingerprintSet::place(std::uint64_t fingerprint) const {
  std::size_t mask = slots_.size() - 1, at = fingerprint & mask;
  while (slots_[at] && slots_[at] != fingerprint) at = (at + 1) & mask;
  return at;
}

bool FingerprintSet::insert(std::uint64_t fingerprint) {
  std::size_t at = place(fingerprint);
  if (slots_[at]) return true;
  if (2 * size_ >= slots_.size()) return false;
  slots_[at] = fingerprint;
  ++size_;
  return true;
}

bool FingerprintSet::erase(std::uint64_t fingerprint) {
  std::size_t mask = slots_.size() - 1, at = place(fingerprint);
  if (!slots_[at]) return false;
  for (std::size_t next = (at + 1) & mask; slots_[next]; next = (next + 1) & mask)
    if (((next - slots_[next]) & mask) >= ((next - at) & mask)) {
      slots_[at] = slots_[next];
      at = next;
    }
  slots_[at] = 0;
  --size_;
  return true;
}

BloomFilter::BloomFilter(std::size_t keys)
    : bits_(std::bit_ceil(std::clamp<std::size_t>(16 * keys, 1024, kBloomMaxBits)) / 64) {}

void BloomFilter::add(std::uint64_t fingerprint) {
  std::uint64_t step = fingerprint >> 32 | 1;
  for (int i = 0; i < kProbes; ++i, fingerprint += step)
    bits_[fingerprint / 64 & (bits_.size() - 1)] |= std::uint64_t{1} << fingerprint % 64;
}

bool BloomFilter::maybe(std::uint64_t fingerprint) const {
  std::uint64_t step = fingerprint >> 32 | 1;
  for (int i = 0; i < kProbes; ++i, fingerprint += step)
    if (!(bits_[fingerprint / 64 & (bits_.size() - 1)] >> fingerprint % 64 & 1)) return false;
  return true;
}

Keyspace::Keyspace(PrefixTable& prefixes, bool live, std::uint64_t seed)
    : prefixes_(prefixes), counts_(PrefixTable::kFirst + prefixes.capacity()), live_(live), seed_(seed) {}

std::uint64_t Keyspace::fingerprint(int db, std::string_view key) const {
  std::uint64_t hash = mix(seed_ + static_cast<std::uint64_t>(db));
  std::size_t i = 0;
  for (; i + 8 <= key.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, key.data() + i, 8);
    hash = mix(hash ^ word);
  }
  std::uint64_t rest = key.size();
  for (; i < key.size(); ++i) rest = rest << 8 | static_cast<unsigned char>(key[i]);
  hash = mix(hash ^ rest ^ key.size() << 57);
  return hash ? hash : 1;
}

bool Keyspace::count_arriving(int db, std::uint32_t row, std::string_view key, std::int64_t keys) {
  std::uint8_t import = arriving_ ? arriving_->import_of(key) : Arriving::kNone;
  if (import == Arriving::kNone) return false;
  arriving_->add(import, db, row, keys);
  return true;
}

void Keyspace::appeared(int db, std::string_view key) {
  std::uint32_t row = prefixes_.match(db, key);
  if (count_arriving(db, row, key, 1)) return;
  counts_.add(db, row, 1);
  if (!pass_ || !pass_->fresh) return;
  std::uint64_t print = fingerprint(db, key);
  replaced_counted_ = pass_->fresh->contains(print) || pass_->visited->maybe(print);
  pass_->counts.add(db, row, 1);
  if (pass_->fresh->insert(print) || !std::exchange(pass_->valid, false)) return;
  fresh_capacity_ = std::min(8 * fresh_capacity_, kFreshCapacity);  // for the next pass
}

std::uint32_t Keyspace::vanished(int db, std::string_view key) {
  std::uint32_t row = prefixes_.match(db, key);
  if (count_arriving(db, row, key, -1)) return row;
  counts_.add(db, row, -1);
  if (!pass_ || !pass_->fresh) return row;
  std::uint64_t print = fingerprint(db, key);
  if (pass_->fresh->erase(print) || pass_->visited->maybe(print)) pass_->counts.add(db, row, -1);
  return row;
}

void Keyspace::vanished_twice(int db, std::string_view key, std::uint64_t db_size) {
  if (mode_ == Mode::kExact && counts_.database(db) == static_cast<std::int64_t>(db_size) - 1)
    counts_.add(db, prefixes_.match(db, key), 1);
}

void Keyspace::replaced(int db, std::string_view key, std::uint64_t db_size) {
  bool counting = mode_ != Mode::kExact && pass_ && pass_->fresh && pass_->valid;
  if (mode_ != Mode::kExact && !counting) return;
  std::int64_t unknown = 0;
  if (counting)
    if (auto found = pass_->unknown.find(db); found != pass_->unknown.end()) unknown = found->second;
  if (counts_.database(db) + unknown != static_cast<std::int64_t>(db_size) + 1) return;
  std::uint32_t row = prefixes_.match(db, key);
  counts_.add(db, row, -1);
  if (counting && replaced_counted_) pass_->counts.add(db, row, -1);
}

void Keyspace::flushed(int db) {
  if (arriving_) arriving_->clear(db);
  bool known = true;
  for (Counts* counts : {&counts_, pass_ ? &pass_->counts : nullptr}) {
    if (!counts) continue;
    if (db < 0)
      counts->clear();
    else
      known &= counts->clear(db);
  }
  // Fingerprints of the flushed keys are still there; a pass that lived through it can't be trusted.
  if (pass_ && live_) pass_->valid = false;
  if (!known) request_seeding(false);
}

void Keyspace::swapped(int a, int b) {
  counts_.swap(a, b);
  if (pass_) pass_->valid = false;
}

void Keyspace::begin_loading_aside() {
  if (live_) aside_.emplace(PrefixTable::kFirst + prefixes_.capacity());
}

void Keyspace::loaded_aside(int db, std::string_view key) {
  if (aside_) aside_->add(db, prefixes_.match(db, key), 1);
}

void Keyspace::end_loading_aside(bool taken) {
  if (!aside_) return;
  if (taken) {
    if (arriving_) arriving_->clear(-1);
    counts_ = std::move(*aside_);
    mode_ = Mode::kExact;
    correcting_ = false;
    if (pass_) pass_->valid = false;
  }
  aside_.reset();
}

void Keyspace::import_began(std::span<const SlotRange> slots, bool from_start) {
  if (!live_ || slots.empty()) return;
  if (!arriving_) arriving_ = std::make_unique<Arriving>();
  arriving_->begin(slots, from_start);
  if (!from_start) request_seeding(false);
}

void Keyspace::import_ended(std::span<const SlotRange> slots) {
  if (!arriving_) return request_seeding(false);
  bool added = true;
  bool certain = arriving_->end(slots, [&](int db, std::uint32_t row, std::int64_t keys) {
    try {
      counts_.add(db, row, keys);
    } catch (...) {  // out of memory
      added = false;
    }
  });
  if (arriving_->none()) arriving_.reset();
  if (pass_) pass_->valid = false;  // it has met none of them, or some
  if (!certain || !added) request_seeding(false);
}

std::vector<std::uint32_t> Keyspace::lightest_orphans(std::size_t most) const {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = PrefixTable::kFirst; row < prefixes_.end(); ++row)
    if (prefixes_.used(row) && prefixes_[row].is_orphan()) rows.push_back(row);
  auto last = rows.begin() + static_cast<std::ptrdiff_t>(std::min(most, rows.size()));
  std::ranges::partial_sort(rows, last, {}, [this](std::uint32_t row) { return counts_.row(row); });
  rows.erase(last, rows.end());
  return rows;
}

void Keyspace::vacate(std::vector<std::uint32_t> rows) {
  std::ranges::sort(rows);
  for (Counts* counts : {&counts_, pass_ ? &pass_->counts : nullptr, aside_ ? &*aside_ : nullptr})
    if (counts) counts->move(rows, PrefixTable::kOther);
  if (arriving_) arriving_->move(rows, PrefixTable::kOther);
  for (std::uint32_t row : rows) {
    prefixes_[PrefixTable::kOther].take_over(prefixes_[row]);
    prefixes_.release(row);
  }
}

bool Keyspace::vacate_orphans(std::size_t most) {
  std::vector<std::uint32_t> lightest = lightest_orphans(most);
  bool any = !lightest.empty();
  if (any) vacate(std::move(lightest));
  return any;
}

void Keyspace::request_seeding(bool drift) {
  if (pass_) pass_->valid = false;
  if (!live_) return;
  correcting_ |= drift && mode_ == Mode::kExact;
  mode_ = Mode::kSeeding;
  if (arriving_) arriving_->doubt();
}

bool Keyspace::prepare_pass(std::uint64_t keys, bool scarce) {
  if (!reclaimed_) {
    constexpr std::uint32_t kAtATime = 1024;
    auto empty = [this](std::uint32_t row) {
      return counts_.row(row) == 0 && !(aside_ && aside_->row(row)) && !has_arriving();
    };
    reclaim_next_ = prefixes_.reclaim(reclaim_next_, kAtATime, empty);
    if (reclaim_next_ != 0) return false;
    reclaimed_ = true;
    // A key of "(other)" may have a row of its own now, but which keys these are only a new count can tell.
    if (prefixes_.full() && prefixes_.has_room() && is_crowded()) request_seeding(false);
  }
  if (!live_ || mode_ == Mode::kExact) return true;
  if (!next_fresh_) {
    fresh_capacity_ = std::clamp<std::size_t>(keys / 4, fresh_capacity_, kFreshCapacity);
    next_fresh_.emplace(scarce ? std::min(fresh_capacity_, kFreshWhereScarce) : fresh_capacity_);
  }
  if (!next_visited_)  // there may have been memory for the first only
    next_visited_.emplace(scarce ? std::min<std::uint64_t>(keys, kVisitedWhereScarce) : keys);
  return next_fresh_->clear_some() && next_visited_->clear_some();
}

void Keyspace::forget_prepared() {
  next_fresh_.reset();
  next_visited_.reset();
}

std::uint64_t keys_in(const DatabaseSizes& sizes) {
  std::uint64_t all = 0;
  for (auto [db, keys] : sizes) all += keys;
  return all;
}

bool Keyspace::displaces(const std::vector<HeavyNames::Counted>& heavy) const {
  if (heavy.empty()) return false;
  std::vector<std::uint32_t> lightest = lightest_orphans(1);
  return prefixes_.has_room() || (!lightest.empty() && heavy[0].at_least > 2 * keys(lightest[0]));
}

void Keyspace::begin_pass(const DatabaseSizes& sizes, const std::vector<HeavyNames::Counted>& heavy) {
  while (!prepare_pass(keys_in(sizes))) {
  }
  reclaimed_ = false;
  pass_.reset();
  if (live_ && mode_ == Mode::kExact) {
    if (!is_crowded()) prefixes_.reopen();
    forget_prepared();
    return;
  }
  if (arriving_) arriving_->doubt();                               // rows are given anew
  std::size_t adopted = std::min(heavy.size(), prefixes_.room());  // without taking a row from anybody
  std::vector<std::uint32_t> light;
  if (adopted < heavy.size()) light = lightest_orphans(heavy.size() - adopted);
  std::size_t taken = 0;
  while (taken < light.size() && heavy[adopted + taken].at_least > 2 * this->keys(light[taken])) ++taken;
  light.resize(taken);
  if (taken) vacate(std::move(light));
  for (const HeavyNames::Counted& name : std::span(heavy).first(adopted + taken)) prefixes_.adopt(name.name);
  prefixes_.reopen();
  pass_.emplace(PrefixTable::kFirst + prefixes_.capacity());
  if (!live_) return;
  pass_->fresh = std::exchange(next_fresh_, std::nullopt);
  pass_->visited = std::exchange(next_visited_, std::nullopt);
  for (auto [db, size] : sizes) pass_->unknown[db] = static_cast<std::int64_t>(size);
  counts_.for_each_database([&](int db, std::int64_t counted) { pass_->unknown[db] -= counted; });
}

void Keyspace::visit(int db, std::uint32_t row, std::string_view key) {
  if (!pass_) return;
  if (pass_->fresh) {
    std::uint64_t print = fingerprint(db, key);
    if (pass_->fresh->contains(print)) return;
    pass_->visited->add(print);
  }
  pass_->counts.add(db, row, 1);
}

namespace {

// How far off the sums of the databases are.
std::uint64_t distance(const Counts& counts, const DatabaseSizes& sizes) {
  std::uint64_t off = 0;
  auto add = [&](std::int64_t counted, std::int64_t size) {
    off += static_cast<std::uint64_t>(std::abs(counted - size));
  };
  counts.for_each_database([&](int db, std::int64_t counted) {
    auto found = sizes.find(db);
    add(counted, found == sizes.end() ? 0 : static_cast<std::int64_t>(found->second));
  });
  for (auto [db, size] : sizes)
    if (!counts.has(db)) add(0, static_cast<std::int64_t>(size));
  return off;
}

}  // namespace

bool Keyspace::end_pass(const DatabaseSizes& sizes) {
  if (!pass_) return true;
  std::uint64_t off = live_ ? distance(pass_->counts, sizes) : 0;
  bool good = pass_->valid && off == 0;
  // One that fails may still know better than what is shown: after MODULE LOAD nothing is known.
  if (good || (live_ && off < distance(counts_, sizes))) {
    if (correcting_) drift_ += counts_.distance(pass_->counts);
    counts_ = std::move(pass_->counts);
  }
  if (good) {
    mode_ = Mode::kExact;
    correcting_ = false;
  }
  pass_.reset();
  return good;
}

void Keyspace::abandon_pass() { pass_.reset(); }

}  // namespace tenants
