#include "tool/client/reply.h"

#include <hiredis/read.h>

#include <cstring>
#include <new>

#include "module/accounting/number.h"
#include "tool/client/failure.h"
#include "tool/client/printable.h"

namespace tenants::tool {

namespace {

// "NOPERM User watcher has no permissions to run the 'tenants.list' command": what the operator has to type.
std::string grant(std::string_view refusal) {
  auto between = [&](std::string_view before, std::string_view after) {
    std::size_t from = refusal.find(before);
    if (from == std::string_view::npos) return std::string();
    std::string_view rest = refusal.substr(from + before.size());
    std::size_t to = rest.find(after);
    return std::string(to == std::string_view::npos ? std::string_view() : rest.substr(0, to));
  };
  std::string user = between("User ", " has no "), command = between("run the '", "'");
  if (user.empty() || command.empty()) return "";
  return "; allow it: ACL SETUSER " + user + " +" + command;
}

}  // namespace

void check(const Reply& reply) {
  if (!reply.is_error()) return;
  std::string text = printable(reply.text);
  auto is = [&](std::string_view start) { return text.starts_with(start); };
  if (is("NOAUTH"))
    throw Failure(Exit::kDenied, "the server asks for a login: --user, and VALKEYCLI_AUTH or --password-file");
  if (is("WRONGPASS") || is("ERR AUTH") || is("ERR invalid password") || is("ERR Client sent AUTH"))
    throw Failure(Exit::kDenied, "the server refuses the login: " + text);
  if (is("NOPERM")) throw Failure(Exit::kDenied, "the ACL forbids it (" + text + ")" + grant(text));
  if (is("ERR unknown command") && text.find("TENANTS.") != std::string::npos)
    throw Failure(Exit::kNoModule,
                  "the server does not have the module; load it: loadmodule /path/to/tenants.so in valkey.conf, "
                  "or MODULE LOAD /path/to/tenants.so");
  throw Failure(Exit::kError, "the server refuses: " + text);
}

const Reply* Reply::find(std::string_view name) const {
  for (std::size_t i = 0; i + 1 < elements.size(); i += 2)
    if (elements[i].text == name) return &elements[i + 1];
  return nullptr;
}

std::string Reply::text_of(std::string_view name) const {
  const Reply* value = find(name);
  return value ? std::string(value->text) : "";
}

std::optional<std::uint64_t> Reply::number() const {
  if (type == Type::kInteger) return integer < 0 ? std::nullopt : std::optional<std::uint64_t>(integer);
  return number_in<std::uint64_t>(text);
}

void* Budget::do_allocate(std::size_t bytes, std::size_t alignment) {
  if (bytes > left_) throw std::bad_alloc();
  void* memory = std::pmr::new_delete_resource()->allocate(bytes, alignment);
  left_ -= bytes;
  return memory;
}

void Budget::do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) {
  std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  left_ += bytes;
}

Replies::Replies()
    : budget_(std::make_unique<Budget>(kMostBytes)),
      arena_(std::make_unique<std::pmr::monotonic_buffer_resource>(budget_.get())) {}

namespace {

using Arena = std::pmr::monotonic_buffer_resource;

// hiredis keeps a copy of what it was given for the reply that may come next: so it is where the arena's address
// stands.
Arena* arena_of(const redisReadTask* task) { return *static_cast<Arena**>(task->privdata); }

// Where the element goes that hiredis has just read: into its parent's array, or alone. Null tells hiredis that there
// was no memory.
Reply* place(const redisReadTask* task) noexcept {
  if (task->parent) {
    const auto* parent = static_cast<const Reply*>(task->parent->obj);
    return const_cast<Reply*>(&parent->elements[static_cast<std::size_t>(task->idx)]);
  }
  try {
    return new (arena_of(task)->allocate(sizeof(Reply), alignof(Reply))) Reply;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* make_string(const redisReadTask* task, char* text, std::size_t size) {
  Reply* reply = place(task);
  if (!reply) return nullptr;
  try {
    char* copy = static_cast<char*>(arena_of(task)->allocate(size + 1, 1));
    std::memcpy(copy, text, size);
    reply->text = {copy, size};
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  reply->type = task->type == REDIS_REPLY_ERROR    ? Reply::Type::kError
                : task->type == REDIS_REPLY_STATUS ? Reply::Type::kStatus
                                                   : Reply::Type::kString;
  return reply;
}

void* make_array(const redisReadTask* task, int elements) {
  if (elements < 0 || elements > ReplyReader::kMostElements) return nullptr;
  Reply* reply = place(task);
  if (!reply) return nullptr;
  reply->type = Reply::Type::kArray;
  auto size = static_cast<std::size_t>(elements);
  try {
    auto* first = static_cast<Reply*>(arena_of(task)->allocate(size * sizeof(Reply) + 1, alignof(Reply)));
    for (std::size_t i = 0; i < size; ++i) new (first + i) Reply;
    reply->elements = {first, size};
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  return reply;
}

void* make_integer(const redisReadTask* task, long long value) {
  Reply* reply = place(task);
  if (!reply) return nullptr;
  reply->type = Reply::Type::kInteger;
  reply->integer = value;
  return reply;
}

void* make_nil(const redisReadTask* task) { return place(task); }

void leave(void*) {}  // the arena goes as a whole

redisReplyObjectFunctions into_arena = {make_string, make_array, make_integer, make_nil, leave};

}  // namespace

ReplyReader::ReplyReader() : reader_(redisReaderCreateWithFunctions(&into_arena)) {
  if (!reader_) throw std::bad_alloc();
  arena_ = replies_.arena_.get();
  reader_->privdata = &arena_;
}

ReplyReader::~ReplyReader() { redisReaderFree(reader_); }

void ReplyReader::feed(std::string_view bytes) {
  bytes_ += bytes.size();
  if (bytes_ > kMostBytes) throw Failure(Exit::kConnect, "the reply is larger than 64 MiB");
  redisReaderFeed(reader_, bytes.data(), bytes.size());
  while (true) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_, &reply) != REDIS_OK && reader_->err == REDIS_ERR_OOM)
      throw Failure(Exit::kConnect,
                    "the reply takes more than 128 MiB, or has an array of more than 1,048,576 elements");
    if (reader_->err)
      throw Failure(Exit::kConnect, "what answers there does not speak the protocol of Valkey (TLS or plain?)");
    if (!reply) return;
    replies_.roots_.push_back(static_cast<const Reply*>(reply));
  }
}

// hiredis looks for the next reply as soon as there is one: it has begun when it has a type.
bool ReplyReader::at_end() const {
  bool begun = reader_->ridx > 0 || (reader_->ridx == 0 && reader_->rstack[0].type >= 0);
  return !begun && reader_->pos == reader_->len;
}

Replies ReplyReader::take() {
  bytes_ = 0;
  Replies taken;
  std::swap(taken, replies_);
  arena_ = replies_.arena_.get();
  return taken;
}

}  // namespace tenants::tool
