// Replies of a server (RESP2), read with hiredis' reader straight into one arena per batch: no allocation per element.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace tenants::tool {

// A view; valid for as long as the Replies it is from.
struct Reply {
  enum class Type : std::uint8_t { kNil, kInteger, kString, kStatus, kError, kArray };
  Type type = Type::kNil;
  long long integer = 0;
  std::string_view text;            // of a string, a status, an error
  std::span<const Reply> elements;  // of an array

  bool is_error() const { return type == Type::kError; }
  // The value of this name in a map, which RESP2 sends as a flat array; null: not there. O(elements).
  const Reply* find(std::string_view name) const;
  // Its text; empty where it is not there.
  std::string text_of(std::string_view name) const;
  // An integer, also one that is sent as text; nothing where it is none, or below 0.
  std::optional<std::uint64_t> number() const;
};

// Throws what an error reply says as a Failure: kDenied for NOPERM, NOAUTH and WRONGPASS, kNoModule for an unknown
// TENANTS command, else kError. Does nothing with any other reply.
void check(const Reply& reply);

// Memory up to a limit; then std::bad_alloc.
class Budget : public std::pmr::memory_resource {
 public:
  explicit Budget(std::size_t bytes) : left_(bytes) {}

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  std::size_t left_;
};

// What was read in one batch, in the order in which it came.
class Replies {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 27;  // of memory, however short it is on the wire

  Replies();
  std::size_t size() const { return roots_.size(); }
  const Reply& operator[](std::size_t i) const { return *roots_[i]; }

 private:
  friend class ReplyReader;
  std::unique_ptr<Budget> budget_;
  std::unique_ptr<std::pmr::monotonic_buffer_resource> arena_;
  std::vector<const Reply*> roots_;
};

class ReplyReader {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 26;  // in one batch: no server may fill our memory
  static constexpr int kMostElements = 1 << 20;                    // in one array

  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  // What came from the server next. Throws Failure kConnect where that is no RESP, or more than the limits.
  void feed(std::string_view bytes);
  std::size_t complete() const { return replies_.size(); }
  // Nothing of a further reply has come. Else the next batch cannot be told from this one.
  bool at_end() const;
  // All complete ones; begins the next batch. Only at_end().
  Replies take();

 private:
  redisReader* reader_;
  Replies replies_;
  std::pmr::monotonic_buffer_resource* arena_;  // of replies_
  std::size_t bytes_ = 0;
};

}  // namespace tenants::tool
