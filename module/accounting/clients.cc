#include "module/accounting/clients.h"

#include <algorithm>
#include <utility>

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

Client& ClientTable::insert(std::uint64_t id) {
  if (size_ >= lines_) split_one();
  Client* line = line_at(line_of(id));
  Client* made = free_in(line);
  if (made) {
    made->id = id;
  } else {
    if (free_ == kNone) add_more();
    std::uint32_t at = free_;
    made = &more(at);
    free_ = made->next;
    made->id = id;
    made->next = line[0].next;
    line[0].next = at;
  }
  ++size_;
  return *made;
}

void ClientTable::erase(std::uint64_t id) {
  Client* line = line_at(line_of(id));
  if (line[0].id == id || line[1].id == id) {
    Client& gone = line[line[0].id == id ? 0 : 1];
    std::uint32_t next = gone.next;  // the chain stays
    gone = Client{};
    gone.next = next;
    --size_;
    return;
  }
  for (std::uint32_t* link = &line[0].next; *link != kNone; link = &more(*link).next) {
    std::uint32_t at = *link;
    if (more(at).id != id) continue;
    *link = more(at).next;
    give_back(at);
    --size_;
    return;
  }
}

void ClientTable::add_lines() { line_chunks_.push_back(std::make_unique<Line[]>(kChunk)); }

void ClientTable::add_more() {
  auto first = static_cast<std::uint32_t>(more_.size()) * kChunk;
  more_.push_back(std::make_unique<Client[]>(kChunk));
  for (std::uint32_t at = first + kChunk; at-- > first;) {
    more(at).next = free_;
    free_ = at;
  }
}

void ClientTable::give_back(std::uint32_t at) {
  more(at) = Client{};
  more(at).next = free_;
  free_ = at;
}

void ClientTable::move(Client& from, Client& to) {
  std::uint32_t chain_from = from.next, chain_to = to.next;
  to = std::exchange(from, Client{});
  from.next = chain_from;
  to.next = chain_to;
  if (moved_) moved_(keeper_, &from, &to);
}

// Adds one line and moves to it what belongs there from the one line that it splits. Whatever stays in the chain moves
// into a place that gets free.
void ClientTable::split_one() {
  if (lines_ % kChunk == 0) add_lines();
  if (lines_ == 2 * level_) level_ *= 2;
  std::uint32_t number = lines_++;
  Client *from = line_at(number - level_), *to = line_at(number);
  auto moves = [&](const Client& client) { return client.id != Client::kNoId && line_of(client.id) == number; };
  for (int i : {0, 1})
    if (moves(from[i])) move(from[i], *free_in(to));
  for (std::uint32_t* link = &from[0].next; *link != kNone;) {
    std::uint32_t at = *link;
    bool goes = moves(more(at));
    if (Client* place = free_in(goes ? to : from)) {
      *link = more(at).next;
      move(more(at), *place);
      give_back(at);
    } else if (goes) {
      *link = more(at).next;
      more(at).next = to[0].next;
      to[0].next = at;
    } else {
      link = &more(at).next;
    }
  }
}

}  // namespace tenants
