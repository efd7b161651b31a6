// A lasting connection to one server, opened and logged in when it is needed. For one thread at a time.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tool/client/failure.h"
#include "tool/client/reply.h"
#include "tool/client/stream.h"
#include "tool/client/target.h"

namespace tenants::tool {

using Command = std::vector<std::string>;

class Connection {
 public:
  static constexpr std::chrono::milliseconds kFirstPause{500}, kLongestPause{10'000};

  explicit Connection(Target target) : target_(std::move(target)) {}

  // Sends all commands at once; returns a reply to each, in order. Replies that are errors are returned, not thrown.
  // Throws Failure kConnect, kDenied (the login failed) or kUsage (a file of the options). A connection that the server
  // has closed since the last call is opened anew. After a failure to connect further calls fail at once, with the same
  // words, during a pause that doubles each time: a dead server does not cost its time-out in every round.
  Replies ask(const std::vector<Command>& commands, Deadline deadline);

  const Target& target() const { return target_; }

 private:
  void open(Deadline deadline);
  Replies send(const std::vector<Command>& commands, Deadline deadline);

  Target target_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<ReplyReader> reader_;
  std::chrono::milliseconds pause_{0};
  Deadline next_attempt_{};
  Failure last_failure_{Exit::kConnect, ""};
};

}  // namespace tenants::tool
