// A load of GETs and SETs at a fixed rate, whose latencies are what a user would have seen: from the moment at which a
// request was meant to be sent, however late it was (open loop, no coordinated omission), until its reply is whole.
//
//   load PORT USERS CONNECTIONS KEYS RATE SECONDS SET_PERCENT SEED
//
// Connections log in as app0, app1 … in turn, with the name as password, and use app0:item:00000000 … of their own
// user. RATE requests per second at random moments (Poisson), over the connections in turn, whether or not their last
// reply has come; 0: a closed loop, in which each connection sends when its reply is here, as fast as it goes. Writes
// the latencies to stdout, in nanoseconds, 32 bits each, in the order of the replies.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kValueBytes = 64;
constexpr std::int64_t kSecond = 1'000'000'000;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? std::strerror(errno) : "");
  std::exit(1);
}

std::int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

struct Options {
  std::uint16_t port;
  unsigned users, connections, keys;
  double rate, seconds;
  unsigned set_percent, seed;
};

class Connection {
 public:
  Connection(std::uint16_t port, const std::string& user) : socket_(socket(AF_INET, SOCK_STREAM, 0)), user_(user) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    if (socket_ < 0 || connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
      fail("no connection");
    std::string size = std::to_string(user.size());
    send("*3\r\n$4\r\nAUTH\r\n$" + size + "\r\n" + user + "\r\n$" + size + "\r\n" + user + "\r\n", now());
    while (!receive([](std::int64_t) {})) continue;
  }

  int socket_number() const { return socket_; }
  const std::string& user() const { return user_; }

  // `meant`: when it was to be sent. Replies are short and read at once, so the socket always has room.
  void send(std::string_view request, std::int64_t meant) {
    if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      fail("a request could not be sent");
    meant_.push_back(meant);
  }

  // Reads what is there; on_reply(meant) for each whole reply. Returns how many there were.
  template <typename OnReply>
  unsigned receive(OnReply on_reply) {
    ssize_t got = recv(socket_, buffer_.data() + filled_, buffer_.size() - filled_, 0);
    if (got <= 0) fail("the server closed a connection");
    filled_ += static_cast<std::size_t>(got);
    std::string_view rest(buffer_.data(), filled_);
    unsigned replies = 0;
    while (std::size_t size = reply_size(rest)) {
      on_reply(meant_.front());
      meant_.pop_front();
      rest.remove_prefix(size);
      ++replies;
    }
    std::memmove(buffer_.data(), rest.data(), rest.size());
    filled_ = rest.size();
    return replies;
  }

 private:
  // 0: it is not whole yet. Only what AUTH, GET of a key that is there, and SET reply.
  static std::size_t reply_size(std::string_view bytes) {
    constexpr std::string_view kOk = "+OK\r\n", kBulk = "$64\r\n";
    std::string_view wanted = bytes.starts_with('+') ? kOk : kBulk;
    if (!bytes.starts_with(wanted.substr(0, bytes.size()))) errno = 0, fail("an unexpected reply");
    std::size_t size = wanted.size() + (wanted == kBulk ? kValueBytes + 2 : 0);
    return bytes.size() < size ? 0 : size;
  }

  int socket_;
  std::string user_;
  std::deque<std::int64_t> meant_;
  std::array<char, 1 << 14> buffer_;
  std::size_t filled_ = 0;
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options), pick_(options.seed), epoll_(epoll_create1(0)) {
    connections_.reserve(options.connections);
    for (unsigned number = 0; number < options.connections; ++number) {
      Connection& connection = connections_.emplace_back(options.port, "app" + std::to_string(number % options.users));
      epoll_event event{.events = EPOLLIN, .data = {.u32 = number}};
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket_number(), &event) != 0) fail("no epoll");
    }
    latencies_.reserve(static_cast<std::size_t>((options.rate > 0 ? options.rate : 200'000) * options.seconds * 1.1));
  }

  const std::vector<std::uint32_t>& run() {
    std::int64_t end = now() + static_cast<std::int64_t>(options_.seconds * kSecond);
    if (options_.rate > 0)
      open_loop(end);
    else
      closed_loop(end);
    return latencies_;
  }

 private:
  void open_loop(std::int64_t end) {
    std::exponential_distribution<double> gap(options_.rate / kSecond);
    std::size_t sent = 0;
    double due = static_cast<double>(now());
    while (latencies_.size() < sent || due < static_cast<double>(end)) {
      for (std::int64_t time = now(); due <= static_cast<double>(time) && due < static_cast<double>(end); ++sent) {
        Connection& connection = connections_[sent % connections_.size()];
        connection.send(request(connection), static_cast<std::int64_t>(due));
        due += gap(pick_);
      }
      receive(due < static_cast<double>(end) ? static_cast<std::int64_t>(due) - now() : kSecond, [](Connection&) {});
    }
  }

  void closed_loop(std::int64_t end) {
    for (Connection& connection : connections_) connection.send(request(connection), now());
    std::size_t waiting = connections_.size();
    while (waiting)
      receive(kSecond, [&](Connection& connection) {
        std::int64_t time = now();
        if (time < end)
          connection.send(request(connection), time);
        else
          --waiting;
      });
  }

  // Waits for replies for so many nanoseconds at most, and reads what is there.
  template <typename OnReply>
  void receive(std::int64_t patience, OnReply on_reply) {
    std::array<epoll_event, 64> ready;
    timespec wait{.tv_sec = 0, .tv_nsec = std::min<std::int64_t>(std::max<std::int64_t>(patience, 0), kSecond - 1)};
    int found = epoll_pwait2(epoll_, ready.data(), ready.size(), &wait, nullptr);
    if (found < 0 && errno != EINTR) fail("epoll_pwait2");
    for (int i = 0; i < found; ++i) {
      Connection& connection = connections_[ready[static_cast<std::size_t>(i)].data.u32];
      unsigned replies = connection.receive([&](std::int64_t meant) {
        std::int64_t latency = now() - meant;
        latencies_.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(latency, UINT32_MAX)));
      });
      for (; replies; --replies) on_reply(connection);
    }
  }

  std::string_view request(const Connection& connection) {
    static const std::string kValue(kValueBytes, 'x');
    std::array<char, 32> key;
    int size = std::snprintf(key.data(), key.size(), "%s:item:%08u", connection.user().c_str(),
                             static_cast<unsigned>(pick_() % options_.keys));
    bool set = pick_() % 100 < options_.set_percent;
    request_ = set ? "*3\r\n$3\r\nSET\r\n$" : "*2\r\n$3\r\nGET\r\n$";
    request_.append(std::to_string(size)).append("\r\n").append(key.data()).append("\r\n");
    if (set) request_.append("$64\r\n").append(kValue).append("\r\n");
    return request_;
  }

  Options options_;
  std::mt19937_64 pick_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<std::uint32_t> latencies_;
  std::string request_;
};

double number(const char* text, double least, double most) {
  char* end;
  double value = std::strtod(text, &end);
  errno = 0;
  if (*end || !(value >= least && value <= most)) fail((std::string("bad argument ") + text).c_str());
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  errno = 0;
  if (argc != 9) fail("wants PORT USERS CONNECTIONS KEYS RATE SECONDS SET_PERCENT SEED");
  auto whole = [&](int i, double least, double most) { return static_cast<unsigned>(number(argv[i], least, most)); };
  Options options{.port = static_cast<std::uint16_t>(whole(1, 1, 65535)),
                  .users = whole(2, 1, 1e6),
                  .connections = whole(3, 1, 60'000),
                  .keys = whole(4, 1, 1e8),
                  .rate = number(argv[5], 0, 1e7),
                  .seconds = number(argv[6], 0.001, 3600),
                  .set_percent = whole(7, 0, 100),
                  .seed = whole(8, 0, 4e9)};
  prctl(PR_SET_TIMERSLACK, 1);  // wakes up when it is time, not 50 µs later
  Load load(options);
  const std::vector<std::uint32_t>& latencies = load.run();
  if (std::fwrite(latencies.data(), sizeof latencies[0], latencies.size(), stdout) != latencies.size())
    fail("the latencies could not be written");
}
