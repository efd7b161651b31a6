// Bytes to and from one server over TCP, a unix socket, or TLS, each step with a deadline. Sockets never block.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "tool/client/target.h"

struct ssl_st;
struct ssl_ctx_st;

namespace tenants::tool {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// What OpenSSL says of the last error of this thread.
std::string openssl_error();

class Stream {
 public:
  // Throws Failure: kConnect, or kUsage where a file of the TLS options cannot be used. Of a name with many addresses
  // each gets its share of the time.
  Stream(const Address& address, const Tls& tls, Deadline deadline);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Both throw Failure kConnect: closed, broken, or not within the deadline.
  void write(std::string_view bytes, Deadline deadline);
  // At least one byte, into `buffer`; returns how many.
  std::size_t read(char* buffer, std::size_t size, Deadline deadline);
  // There is something to be read now.
  bool has_unread();

  // Whoever waits for a server, now or later, gets a Failure. From any thread.
  static void give_up() noexcept;

 private:
  void open_unix(const std::string& path, Deadline deadline);
  void open_tcp(const Address& address, Deadline deadline);
  void connect_to(const void* address, unsigned length, int family, Deadline deadline);
  void handshake(const Address& address, const Tls& tls, Deadline deadline);
  void wait(short events, Deadline deadline) const;
  // Of an OpenSSL call that returned `result`: returns after the wait when it wants to be tried again.
  void wait_for_tls(int result, Deadline deadline);

  int socket_ = -1;
  bool heard_ = false;  // anything yet
  const char* late_ = "no answer within the time-out";
  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> tls_;
};

}  // namespace tenants::tool
