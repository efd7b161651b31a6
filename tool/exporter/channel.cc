#include "tool/exporter/channel.h"

#include <netdb.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

namespace tenants::tool {

Channel::Channel(int socket, SSL_CTX* tls) : socket_(socket), tls_(tls ? SSL_new(tls) : nullptr, SSL_free) {
  if (!tls) return;
  if (!tls_ || SSL_set_fd(tls_.get(), socket) != 1) {
    close(socket);
    throw std::bad_alloc();
  }
  SSL_set_accept_state(tls_.get());
}

Channel::~Channel() { close(socket_); }

Channel::Outcome Channel::why(int returned) {
  if (!tls_) return returned < 0 && (errno == EAGAIN || errno == EINTR) ? Outcome::kLater : Outcome::kGone;
  int error = SSL_get_error(tls_.get(), returned);
  bool later = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  return later ? Outcome::kLater : Outcome::kGone;
}

Channel::Outcome Channel::receive(std::string& input, std::size_t most) {
  std::array<char, 4096> part;
  while (input.size() < most) {
    ERR_clear_error();
    std::size_t room = std::min(part.size(), most - input.size());
    auto got = tls_ ? SSL_read(tls_.get(), part.data(), static_cast<int>(room))
                    : static_cast<int>(recv(socket_, part.data(), room, 0));
    if (got <= 0) return why(got);
    input.append(part.data(), static_cast<std::size_t>(got));
  }
  return Outcome::kDone;
}

Channel::Outcome Channel::send(std::string_view output, std::size_t& sent) {
  while (sent < output.size()) {
    ERR_clear_error();
    std::size_t size = std::min<std::size_t>(output.size() - sent, 1 << 20);
    auto put = tls_ ? SSL_write(tls_.get(), output.data() + sent, static_cast<int>(size))
                    : static_cast<int>(::send(socket_, output.data() + sent, size, MSG_NOSIGNAL));
    if (put <= 0) return why(put);
    sent += static_cast<std::size_t>(put);
  }
  return Outcome::kDone;
}

void Channel::finish() {
  ERR_clear_error();
  if (tls_) SSL_shutdown(tls_.get());
  shutdown(socket_, SHUT_WR);
}

std::string Channel::peer() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, NI_MAXHOST> host;
  if (getpeername(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  if (getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST))
    return {};
  return host.data();
}

}  // namespace tenants::tool
