#include "module/accounting/clients.h"

#include <algorithm>

namespace tenants {

void Transaction::add(std::uint16_t command) {
  std::vector<Item>& items = made();
  auto found = std::find_if(items.rbegin(), items.rend(),
                            [&](const Item& item) { return item.command == command || item.command == kEndOfPart; });
  if (found != items.rend() && found->command == command)
    ++found->times;
  else
    items.push_back({command, 1});
}

// The memory is kept for the next transaction, unless it is much.
void Transaction::clear() {
  constexpr std::size_t kKept = 64;
  if (!items_) return;
  items_->clear();
  if (items_->capacity() > kKept) items_.reset();
}

ClientTable::ClientTable() {
  heads_.push_back(std::make_unique<std::uint32_t[]>(kChunk));
  std::fill_n(heads_.back().get(), kChunk, kNone);
}

Client* ClientTable::find(std::uint64_t id) {
  for (std::uint32_t at = head(bucket_of(id)); at != kNone; at = entry(at).next)
    if (entry(at).id == id) return &entry(at);
  return nullptr;
}

Client& ClientTable::insert(std::uint64_t id) {
  if (size_ >= buckets_) split_one();
  if (free_ == kNone) {
    auto first = static_cast<std::uint32_t>(entries_.size()) * kChunk;
    entries_.push_back(std::make_unique<Client[]>(kChunk));
    for (std::uint32_t at = first + kChunk; at-- > first;) {
      entry(at).next = free_;
      free_ = at;
    }
  }
  std::uint32_t at = free_;
  Client& client = entry(at);
  free_ = client.next;
  std::uint32_t& first = head(bucket_of(id));
  client = Client{.id = id, .next = first};
  first = at;
  ++size_;
  return client;
}

void ClientTable::erase(std::uint64_t id) {
  for (std::uint32_t* link = &head(bucket_of(id)); *link != kNone; link = &entry(*link).next) {
    std::uint32_t at = *link;
    if (entry(at).id != id) continue;
    *link = entry(at).next;
    entry(at) = Client{.next = free_};
    free_ = at;
    --size_;
    return;
  }
}

// Adds one bucket and moves to it what belongs there from the one bucket that it splits.
void ClientTable::split_one() {
  if (buckets_ == 2 * level_) level_ *= 2;
  if (buckets_ % kChunk == 0) {
    heads_.push_back(std::make_unique<std::uint32_t[]>(kChunk));
    std::fill_n(heads_.back().get(), kChunk, kNone);
  }
  std::uint32_t from = buckets_ - level_, to = buckets_++;
  for (std::uint32_t* link = &head(from); *link != kNone;) {
    std::uint32_t at = *link;
    if (bucket_of(entry(at).id) == from) {
      link = &entry(at).next;
      continue;
    }
    *link = entry(at).next;
    entry(at).next = head(to);
    head(to) = at;
  }
}

}  // namespace tenants
