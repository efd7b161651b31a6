#include "tool/client/connection.h"

#include <hiredis/hiredis.h>

#include <algorithm>

namespace tenants::tool {

namespace {

std::string framed(const Command& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const std::string& word : command) words.push_back(word.data()), sizes.push_back(word.size());
  char* text = nullptr;
  int size = redisFormatCommandArgv(&text, static_cast<int>(words.size()), words.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  std::string bytes(text, static_cast<std::size_t>(size));
  redisFreeCommand(text);
  return bytes;
}

}  // namespace

void Connection::open(Deadline deadline) {
  stream_.reset();
  reader_ = std::make_unique<ReplyReader>();
  stream_ = std::make_unique<Stream>(target_.address, target_.tls, deadline);
  std::string password = target_.login.secret();
  if (target_.login.user.empty() && password.empty()) return;
  Command login{"AUTH"};
  if (!target_.login.user.empty()) login.push_back(target_.login.user);
  login.push_back(password);
  Replies replies = send({login}, deadline);
  if (replies[0].is_error() && password.empty())
    throw Failure(Exit::kDenied,
                  "the server refuses the login, and no password was given: VALKEYCLI_AUTH, "
                  "--password-file or --askpass");
  check(replies[0]);
}

Replies Connection::send(const std::vector<Command>& commands, Deadline deadline) {
  std::string bytes;
  for (const Command& command : commands) bytes += framed(command);
  stream_->write(bytes, deadline);
  char buffer[1 << 16];
  while (reader_->complete() < commands.size()) reader_->feed({buffer, stream_->read(buffer, sizeof buffer, deadline)});
  if (reader_->complete() > commands.size() || !reader_->at_end())
    throw Failure(Exit::kConnect, "the server sends more than it was asked for");
  return reader_->take();
}

Replies Connection::ask(const std::vector<Command>& commands, Deadline deadline) {
  if (stream_ && stream_->has_unread()) stream_.reset();  // nobody asked for that
  if (stream_) {
    try {
      return send(commands, deadline);
    } catch (const Failure&) {  // closed since, perhaps: once more, on a new connection
      stream_.reset();
    }
  }
  if (Clock::now() < next_attempt_) throw Failure(last_failure_);
  try {
    open(deadline);
    Replies replies = send(commands, deadline);
    pause_ = {};
    return replies;
  } catch (const Failure& failure) {
    stream_.reset();
    pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
    next_attempt_ = Clock::now() + pause_;
    last_failure_ = failure;
    throw;
  }
}

}  // namespace tenants::tool
