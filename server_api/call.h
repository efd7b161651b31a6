// RAII for what a call through the API returns. Main thread only.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "server_api/api.h"

namespace server_api {

inline std::string_view view(const String* string) {
  std::size_t length;  // NOLINT(cppcoreguidelines-init-variables): the server sets it always
  const char* bytes = api.StringPtrLen(string, &length);
  return {bytes, length};
}

// A string that is ours to free; null where the server had none.
struct FreeString {
  void operator()(String* string) const { api.FreeString(nullptr, string); }
};
using OwnedString = std::unique_ptr<String, FreeString>;

struct FreeCursor {
  void operator()(ScanCursor* cursor) const { api.ScanCursorDestroy(cursor); }
};
using OwnedCursor = std::unique_ptr<ScanCursor, FreeCursor>;

// The reply of api.Call, freed at the end; null where the server refused the call.
class Reply {
 public:
  explicit Reply(CallReply* reply) : reply_(reply) {}
  Reply(Reply&& other) noexcept : reply_(std::exchange(other.reply_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (reply_) api.FreeCallReply(reply_);
  }

  CallReply* get() const { return reply_; }

 private:
  CallReply* reply_;
};

inline bool is(CallReply* reply, int type) { return reply && api.CallReplyType(reply) == type; }

// The bytes of a string reply; empty for anything else. Valid as long as the reply.
inline std::string_view text(CallReply* reply) {
  if (!reply) return {};
  std::size_t length = 0;
  const char* bytes = api.CallReplyStringPtr(reply, &length);
  return bytes ? std::string_view(bytes, length) : std::string_view();
}

// A context of our own for background work: no client, no command behind it.
class DetachedContext {
 public:
  explicit DetachedContext(Context* context) : context_(api.GetDetachedThreadSafeContext(context)) {}
  DetachedContext(const DetachedContext&) = delete;
  DetachedContext& operator=(const DetachedContext&) = delete;
  ~DetachedContext() { api.FreeThreadSafeContext(context_); }

  Context* get() const { return context_; }

 private:
  Context* context_;
};

}  // namespace server_api
