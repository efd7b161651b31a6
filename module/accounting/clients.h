// What is known of each connection: its user, and its open transaction.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace tenants {

// What commands are told apart by.
enum class Kind : std::uint32_t { kRead, kWrite, kAdmin, kScript, kPubsub, kOther };
inline constexpr std::size_t kKinds = 6;

// The commands of a transaction, how often each, in parts: AUTH ends one, what follows it is another user's. A pointer
// until the first one: most clients never have any.
class Transaction {
 public:
  struct Item {
    std::uint16_t command;  // its number in the command table, or kEndOfPart
    std::uint32_t times;
  };
  static constexpr std::uint16_t kEndOfPart = 0xffff;

  // O(different commands in this part). Allocates where they are more than in any transaction of this client before.
  void add(std::uint16_t command);
  void end_part() { made().push_back({kEndOfPart, 0}); }
  void clear();
  // Visits the items of the part that begins at `place`; returns where the next one begins.
  template <typename Visit>
  std::size_t visit_part(std::size_t place, Visit visit) const {
    while (place < end() && (*items_)[place].command != kEndOfPart) visit((*items_)[place++]);
    return std::min(place + 1, end());
  }
  std::size_t end() const { return items_ ? items_->size() : 0; }
  // Is there a login in it?
  bool has_parts() const {
    return items_ && std::ranges::any_of(*items_, [](const Item& item) { return item.command == kEndOfPart; });
  }
  // Is there a command for which `matches(its number)` holds?
  template <typename Matches>
  bool has(Matches matches) const {
    return items_ && std::ranges::any_of(*items_, [&](const Item& item) {
             return item.command != kEndOfPart && matches(item.command);
           });
  }

 private:
  std::vector<Item>& made() {
    if (!items_) items_ = std::make_unique<std::vector<Item>>();
    return *items_;
  }

  std::unique_ptr<std::vector<Item>> items_;
};

struct alignas(32) Client {
  static constexpr std::uint64_t kNoId = std::uint64_t{1} << 63;

  std::uint64_t id = kNoId;
  std::uint32_t next = 0;  // the table's
  std::uint32_t user = 0;  // row of the user table
  std::uint16_t flags = 0;
  std::uint16_t last = 0;              // number of the command counted last
  std::uint32_t uncounted = kNothing;  // where in `queued` the part begins that ran and waits for its user
  Transaction queued;                  // the open transaction, or the one that ran last

  enum Flag : std::uint16_t {
    kInMulti = 1,
    kWillFail = 2,        // the transaction: EXEC will be refused
    kQueuedIdentity = 4,  // the transaction holds a command that may change a user or the ACL
    kAnonymous = 8,       // has not logged in, as far as known: the server may refuse all but AUTH
    kWatching = 16,       // the transaction will fail if a watched key changed
    kPending = 32,        // its user may have changed: ask again
    kMonitor = 64,
    kCounted = 128,  // `last` was counted
    kRecheck = 256,  // ask again at its next command: a module may take its time to authenticate it
    kQueuedOtherDatabase = 512,
    kMayMulti = 1024,   // the server has let it begin a transaction before
    kRanQueued = 2048,  // `last` was an EXEC that counted what was queued
    kImport = 4096,     // another node, whose slots move here: what it runs is (internal)
    kUnlisted = 8192,   // CLIENT LIST must not be asked for it: its last command may have gone with a module
    kRanSince = 16384,  // it is kUnlisted, and runs a command now
    kNewBytes = 32768,  // its bytes up to the next look are another user's
  };
  static constexpr std::uint32_t kNothing = 0xffffffff;
  bool is(unsigned any_of) const { return flags & any_of; }
  // What it sends may not count at once, or not as its user's.
  static constexpr unsigned kApart = kInMulti | kAnonymous | kImport;
  // It is to be seen to before its next command.
  static constexpr unsigned kAwaited = kRecheck | kUnlisted;
  // Does a command that does nothing to its client change `last` alone?
  bool is_plain() const { return (flags & (kApart | kAwaited | kRanQueued | kCounted)) == kCounted; }
  void set(unsigned bits) { flags = static_cast<std::uint16_t>(flags | bits); }
  void clear(unsigned bits) { flags = static_cast<std::uint16_t>(flags & ~bits); }
};
static_assert(sizeof(Client) == 32, "two to a cache line");

// The clients by id. With thousands of them each command finds the caches cold, and every line that is touched costs
// some 80 ns: so seven of eight, or more, are found in the one line that their id leads to, which has room for two; the
// others are chained to it. As many lines as clients, at most twice as many: 64 to 128 bytes per connection.
//
// It grows by linear hashing, one line at a time: every operation is O(1) in the worst case, not only on average (a
// rehash of 10,000 entries at once would be a pause). That moves a few entries, so whoever keeps a pointer is told.
class ClientTable {
 public:
  // Tells whoever keeps a pointer to an entry where it is now.
  using Moved = void (*)(void* keeper, const Client* from, Client* to);

  ClientTable() { add_lines(); }
  // `keeper`: what `moved` is called with.
  void tell_moves(Moved moved, void* keeper) { moved_ = moved, keeper_ = keeper; }

  // Null where the id is unknown. Valid until the next insert.
  Client* find(std::uint64_t id) {
    Client* line = line_at(line_of(id));
    if (line[0].id == id) return line;
    if (line[1].id == id) return line + 1;
    for (std::uint32_t at = line[0].next; at != kNone; at = more(at).next)
      if (more(at).id == id) return &more(at);
    return nullptr;
  }
  // The id must not be there yet. No memory: nothing has changed.
  Client& insert(std::uint64_t id);
  void erase(std::uint64_t id);
  std::size_t size() const { return size_; }
  // How many were not found in the line of their id. O(chained entries, ever).
  std::size_t chained() const {
    std::size_t count = 0;
    for (const auto& chunk : more_)
      count +=
          std::count_if(&chunk[0], &chunk[0] + kChunk, [](const Client& client) { return client.id != Client::kNoId; });
    return count;
  }

  // Visits the next `count` entries from `place` on, fewer where there are many gaps. Returns the place to go on from,
  // 0 at the end. An entry that stays is met at least once in each round.
  template <typename Visit>
  std::uint32_t visit_some(std::uint32_t place, std::uint32_t count, Visit visit) {
    // Entries move from chains into lines, and from lines into later ones.
    std::uint32_t chained = static_cast<std::uint32_t>(more_.size()) * kChunk, end = kLines + 2 * lines_;
    for (std::uint64_t looks = std::uint64_t{16} * count; looks > 0 && count > 0; --looks, ++place) {
      if (place >= chained && place < kLines) place = kLines;
      if (place == end) return 0;
      Client& client = place < kLines ? more(place) : line_at((place - kLines) / 2)[place % 2];
      if (client.id == Client::kNoId) continue;
      visit(client);
      --count;
    }
    return place;
  }

  // No insert meanwhile.
  template <typename Visit>
  void for_each(Visit visit) {
    std::uint32_t place = 0;
    do place = visit_some(place, kLines, visit);
    while (place > 0);
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::uint32_t kChunk = 256;  // lines, or chained entries, that memory is taken for at once
  static constexpr std::uint32_t kLines = std::uint32_t{1} << 31;  // places of lines begin here

  struct alignas(64) Line {
    Line() { clients[0].next = kNone; }
    Client clients[2];
  };

  std::uint32_t line_of(std::uint64_t id) const {
    // One multiplication would leave a pattern of ids, like every eighth, in a pattern of lines.
    constexpr std::uint64_t kOdd = 0xd6e8feb86659fd93u;
    std::uint64_t mixed = id * kOdd;
    auto hash = static_cast<std::uint32_t>((mixed ^ mixed >> 32) * kOdd >> 32);
    std::uint32_t line = hash & (2 * level_ - 1);
    return line < lines_ ? line : line & (level_ - 1);
  }
  Client* line_at(std::uint32_t line) { return line_chunks_[line / kChunk][line % kChunk].clients; }
  Client& more(std::uint32_t at) { return more_[at / kChunk][at % kChunk]; }
  static Client* free_in(Client* line) {
    return line[0].id == Client::kNoId ? line : line[1].id == Client::kNoId ? line + 1 : nullptr;
  }
  void add_lines();
  void add_more();
  void split_one();
  void move(Client& from, Client& to);
  void give_back(std::uint32_t at);

  // What find() needs comes first.
  std::vector<std::unique_ptr<Line[]>> line_chunks_;
  std::uint32_t level_ = kChunk;  // lines at the start of this doubling
  std::uint32_t lines_ = kChunk;  // level_ <= lines_ <= 2 * level_
  std::vector<std::unique_ptr<Client[]>> more_;
  std::uint32_t free_ = kNone;  // chained entries
  std::uint32_t size_ = 0;
  Moved moved_ = nullptr;
  void* keeper_ = nullptr;
};

}  // namespace tenants
