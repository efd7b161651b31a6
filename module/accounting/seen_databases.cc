#include "module/accounting/seen_databases.h"

#include <utility>

namespace tenants {

SeenDatabases::Database* SeenDatabases::make(int db) {
  auto known = databases_.find(db);
  if (known == databases_.end()) {
    if (databases_.size() == kMost) return nullptr;
    known = databases_.try_emplace(db).first;
    known->second.identity = ++identities_;
  }
  return &known->second;
}

const SeenDatabases::Database* SeenDatabases::find(int db) const {
  auto known = databases_.find(db);
  return known == databases_.end() ? nullptr : &known->second;
}

SeenKeys* SeenDatabases::make_pair(std::uint32_t database, std::uint32_t row, std::uint64_t name) {
  std::uint64_t id = id_of(database, row);
  Pair* pair = pairs_ ? pairs_->find(id) : nullptr;
  if (!pair) {
    if (pairs() == kMostPairs) return nullptr;
    if (!pairs_) pairs_.emplace();
    pair = &pairs_->insert(id);
  }
  if (std::exchange(pair->name, name) != name) pair->keys = SeenKeys();
  return &pair->keys;
}

const SeenKeys* SeenDatabases::find_pair(std::uint32_t database, std::uint32_t row, std::uint64_t name) const {
  const Pair* pair = pairs_ ? pairs_->find(id_of(database, row)) : nullptr;
  return pair && pair->name == name ? &pair->keys : nullptr;
}

void SeenDatabases::tidy(std::uint64_t pass, std::uint64_t complete) {
  constexpr std::uint32_t kPlaces = 32;
  if (!pairs_) return;
  next_tidied_ = pairs_->visit_some(next_tidied_, kPlaces, [&](Pair& pair) {
    if (!pair.keys.seen_in(pass) && !pair.keys.seen_in(complete)) pairs_->erase(pair.id);
  });
  if (pairs_->size() > 0) return;
  pairs_.reset();
  next_tidied_ = 0;
}

void SeenDatabases::swap(int a, int b) {
  auto of_a = databases_.extract(a), of_b = databases_.extract(b);  // no memory is needed
  if (!of_a || !of_b) return;
  of_a.key() = b, of_b.key() = a;
  databases_.insert(std::move(of_a)), databases_.insert(std::move(of_b));
}

}  // namespace tenants
