// The bytes of one connection, plain or TLS, on a socket that never blocks.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tenants::tool {

class Channel {
 public:
  // Takes the socket; `tls` may be null. Throws std::bad_alloc only.
  Channel(int socket, SSL_CTX* tls);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  enum class Outcome : std::uint8_t {
    kDone,
    kLater,  // the socket has no more now; go on when it is ready
    kGone,   // closed by the client, or broken
  };
  // Appends what has arrived to `input`, up to `most` bytes in it; kDone: it has that many.
  Outcome receive(std::string& input, std::size_t most);
  // Sends `output` from `sent` on, which it moves; kDone: all of it.
  Outcome send(std::string_view output, std::size_t& sent);
  // Says that nothing more will be sent.
  void finish();

  int socket() const { return socket_; }
  // The client's address, for logs; empty where it has none.
  std::string peer() const;

 private:
  Outcome why(int returned);

  const int socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
};

}  // namespace tenants::tool
