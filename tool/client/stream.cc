#include "tool/client/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "tool/client/failure.h"

namespace tenants::tool {

namespace {

[[noreturn]] void fail(const std::string& what) { throw Failure(Exit::kConnect, what); }
[[noreturn]] void fail_with(int error) { fail(std::strerror(error)); }

using AddressList = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

// Readable as soon as nobody shall wait any more.
int given_up() {
  static const int descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return descriptor;
}

[[noreturn]] void fail_given_up() { fail("the program ends"); }

bool is_given_up() {
  pollfd end{given_up(), POLLIN, 0};
  return ::poll(&end, 1, 0) > 0;
}

// What the resolver says of a name. It has time-outs of its own, longer than ours, and cannot be stopped: so it runs
// in a thread that nobody waits for.
struct Lookup {
  std::mutex mutex;
  std::condition_variable came;
  bool done = false;
  int error = 0, system_error = 0;
  AddressList found{nullptr, ::freeaddrinfo};
};

int resolve(const Address& address, int flags, AddressList& found) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  if (!error) found.reset(list);
  return error;
}

AddressList look_up(const Address& address, Deadline deadline) {
  AddressList numeric{nullptr, ::freeaddrinfo};
  if (resolve(address, AI_NUMERICHOST, numeric) == 0) return numeric;
  auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, address] {
    AddressList found{nullptr, ::freeaddrinfo};
    int error = resolve(address, 0, found), system_error = errno;
    std::lock_guard lock(lookup->mutex);
    lookup->found = std::move(found);
    lookup->error = error, lookup->system_error = system_error, lookup->done = true;
    lookup->came.notify_one();
  }).detach();
  std::unique_lock lock(lookup->mutex);
  while (!lookup->done) {
    if (is_given_up()) fail_given_up();
    if (Clock::now() >= deadline) fail("its name was not resolved within the time-out");
    lookup->came.wait_until(lock, std::min(deadline, Clock::now() + std::chrono::milliseconds(100)));
  }
  if (lookup->error == EAI_SYSTEM) fail_with(lookup->system_error);
  if (lookup->error) fail(::gai_strerror(lookup->error));
  return std::move(lookup->found);
}

}  // namespace

std::string openssl_error() {
  unsigned long code = ERR_get_error();
  const char* reason = ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason ? reason : "the connection was closed";
}

void Stream::give_up() noexcept {
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(given_up(), &one, sizeof one);
}

Stream::Stream(const Address& address, const Tls& tls, Deadline deadline)
    : context_(nullptr, SSL_CTX_free), tls_(nullptr, SSL_free) {
  try {
    if (address.socket.empty())
      open_tcp(address, deadline);
    else
      open_unix(address.socket, deadline);
    if (tls.enabled) handshake(address, tls, deadline);
  } catch (...) {
    tls_.reset();
    if (socket_ >= 0) ::close(socket_);
    throw;
  }
}

Stream::~Stream() {
  tls_.reset();
  ::close(socket_);
}

void Stream::wait(short events, Deadline deadline) const {
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) fail(late_);
    pollfd waiting[] = {{socket_, events, 0}, {given_up(), POLLIN, 0}};
    int ready = ::poll(waiting, 2, static_cast<int>(std::min<long long>(left, 60'000)));
    if (waiting[1].revents) fail_given_up();
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) fail_with(errno);
  }
}

void Stream::connect_to(const void* address, unsigned length, int family, Deadline deadline) {
  socket_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_ < 0) fail_with(errno);
  if (::connect(socket_, static_cast<const sockaddr*>(address), length) == 0) return;
  if (errno != EINPROGRESS) fail_with(errno);  // EAGAIN of a unix socket, too: its backlog is full
  wait(POLLOUT, deadline);
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) fail_with(error);
}

void Stream::open_unix(const std::string& path, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Failure(Exit::kUsage, "the path of a unix socket may have at most 107 bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  connect_to(&address, sizeof address, AF_UNIX, deadline);
}

// Every address of the name in turn, each for its share of the time; the last one's error.
void Stream::open_tcp(const Address& address, Deadline deadline) {
  AddressList found = look_up(address, deadline);
  int left = 0;
  for (const addrinfo* one = found.get(); one; one = one->ai_next) ++left;
  for (const addrinfo* one = found.get(); one; one = one->ai_next, --left) {
    try {
      Deadline now = Clock::now();
      connect_to(one->ai_addr, one->ai_addrlen, one->ai_family, now + (deadline - now) / left);
      int on = 1;
      ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return;
    } catch (const Failure&) {
      if (left == 1) throw;
      if (socket_ >= 0) ::close(socket_);
      socket_ = -1;
    }
  }
}

namespace {

std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> make_context(const Tls& tls) {
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  auto use = [](bool done, const std::string& what, const std::string& file) {
    if (!done) throw Failure(Exit::kUsage, "cannot use " + what + " " + file + ": " + openssl_error());
  };
  if (!context) throw Failure(Exit::kError, "cannot set up TLS: " + openssl_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (!tls.ca_file.empty())
    use(SSL_CTX_load_verify_file(context.get(), tls.ca_file.c_str()) == 1, "the CA file", tls.ca_file);
  if (!tls.ca_directory.empty())
    use(SSL_CTX_load_verify_dir(context.get(), tls.ca_directory.c_str()) == 1, "the CA directory", tls.ca_directory);
  if (tls.ca_file.empty() && tls.ca_directory.empty()) SSL_CTX_set_default_verify_paths(context.get());
  if (!tls.certificate.empty())
    use(SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate.c_str()) == 1, "the certificate",
        tls.certificate);
  if (!tls.key.empty()) {
    use(SSL_CTX_use_PrivateKey_file(context.get(), tls.key.c_str(), SSL_FILETYPE_PEM) == 1, "the key", tls.key);
    use(SSL_CTX_check_private_key(context.get()) == 1, "the certificate with the key", tls.key);
  }
  SSL_CTX_set_verify(context.get(), tls.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  return context;
}

bool is_ip(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

}  // namespace

void Stream::handshake(const Address& address, const Tls& tls, Deadline deadline) {
  context_ = make_context(tls);
  tls_.reset(SSL_new(context_.get()));
  if (!tls_ || SSL_set_fd(tls_.get(), socket_) != 1) fail("cannot set up TLS: " + openssl_error());
  const std::string& name = tls.server_name.empty() ? address.host : tls.server_name;
  if (is_ip(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), name.c_str());
  } else if (!name.empty()) {
    SSL_set_tlsext_host_name(tls_.get(), name.c_str());
    SSL_set1_host(tls_.get(), name.c_str());
  }
  const char* late = std::exchange(late_, "no answer to TLS within the time-out: is this port for TLS?");
  while (true) {
    ERR_clear_error();
    int result = SSL_connect(tls_.get());
    if (result == 1) {
      late_ = late;
      return;
    }
    long verified = SSL_get_verify_result(tls_.get());
    if (verified != X509_V_OK && !tls.insecure)
      fail(std::string("its certificate is not valid: ") + X509_verify_cert_error_string(verified) +
           "; name its CA with --cacert, its name with --sni");
    wait_for_tls(result, deadline);
  }
}

void Stream::wait_for_tls(int result, Deadline deadline) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return wait(POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
      return wait(POLLOUT, deadline);
    case SSL_ERROR_ZERO_RETURN:
      fail("the server closed the connection");
    default:
      fail("TLS: " + openssl_error());
  }
}

void Stream::write(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    if (tls_) {
      ERR_clear_error();
      int done = SSL_write(tls_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 30)));
      if (done <= 0)
        wait_for_tls(done, deadline);
      else
        bytes.remove_prefix(static_cast<std::size_t>(done));
      continue;
    }
    ssize_t done = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(done));
    else if (errno == EAGAIN)
      wait(POLLOUT, deadline);
    else if (errno != EINTR)
      fail_with(errno);
  }
}

std::size_t Stream::read(char* buffer, std::size_t size, Deadline deadline) {
  while (true) {
    if (Clock::now() >= deadline) fail(late_);  // also of a server that never stops talking
    if (tls_) {
      ERR_clear_error();
      int done = SSL_read(tls_.get(), buffer, static_cast<int>(std::min<std::size_t>(size, 1 << 30)));
      if (done > 0) return static_cast<std::size_t>(done);
      wait_for_tls(done, deadline);
      continue;
    }
    ssize_t done = ::recv(socket_, buffer, size, 0);
    if (done > 0) {
      heard_ = true;
      return static_cast<std::size_t>(done);
    }
    if (!heard_ && (done == 0 || errno == ECONNRESET))
      fail("the server closed the connection without a word: does this port want --tls?");
    if (done == 0) fail("the server closed the connection");
    if (errno == EAGAIN)
      wait(POLLIN, deadline);
    else if (errno != EINTR)
      fail_with(errno);
  }
}

bool Stream::has_unread() {
  char byte = 0;
  if (!tls_) return ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  ERR_clear_error();
  return SSL_peek(tls_.get(), &byte, 1) > 0;
}

}  // namespace tenants::tool
