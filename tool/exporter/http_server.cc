#include "tool/exporter/http_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "tool/exporter/channel.h"
#include "tool/exporter/log.h"

namespace tenants::tool {

namespace {

constexpr std::chrono::seconds kFarewell{1};  // for a client to notice that it has been closed
constexpr std::chrono::seconds kLastAnswers{5};
constexpr std::size_t kLeavingBytes = 65536;  // read at once, and thrown away
constexpr std::uint64_t kWake = ~std::uint64_t{0};
constexpr std::uint64_t kListener = std::uint64_t{1} << 63;

constexpr std::string_view kHeadEnd = "\r\n\r\n";

std::string refusal(std::string_view status, std::string_view why) {
  std::string text = "HTTP/1.1 ";
  text.append(status).append("\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n");
  text.append("Connection: close\r\nRetry-After: 1\r\n");
  text.append("Content-Length: ").append(std::to_string(why.size())).append("\r\n\r\n").append(why);
  return text;
}

// One request in, one response out.
class Exchange : public httplib::Stream {
 public:
  Exchange(const std::string& request, const std::string& peer) : request_(request), peer_(peer) {}
  bool is_readable() const override { return read_ < request_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    size = std::min(size, request_.size() - read_);
    std::memcpy(to, request_.data() + read_, size);
    read_ += size;
    return static_cast<ssize_t>(size);
  }
  ssize_t write(const char* from, std::size_t size) override {
    response_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { ip = peer_, port = 0; }
  void get_local_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  socket_t socket() const override { return INVALID_SOCKET; }
  std::string take() { return std::move(response_); }

 private:
  const std::string& request_;
  const std::string& peer_;
  std::size_t read_ = 0;
  std::string response_;
};

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t end = 0; end != std::string_view::npos; text.remove_prefix(std::min(text.size(), end + 1))) {
    end = text.find(at);
    std::string_view part = text.substr(0, end);
    std::size_t first = part.find_first_not_of(" \t"), last = part.find_last_not_of(" \t");
    parts.push_back(first == std::string_view::npos ? "" : part.substr(first, last - first + 1));
  }
  return parts;
}

bool alike(std::string_view a, std::string_view lower) {
  auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, lower, {}, low);
}

// What the parser should not act upon: ranges; brotli, which takes seconds for a large page; a body, which nobody here
// wants and which would be read as the next request if the connection stayed.
void simplify(httplib::Request& request) {
  bool gzip = accepts_gzip(request.get_header_value("Accept-Encoding"));
  request.headers.erase("Accept-Encoding");
  if (gzip) request.headers.emplace("Accept-Encoding", "gzip");
  request.ranges.clear();
  bool body = request.has_header("Transfer-Encoding") ||
              (request.has_header("Content-Length") && request.get_header_value("Content-Length") != "0");
  if (!body) return;
  request.headers.erase("Connection");
  request.headers.emplace("Connection", "close");
}

// A socket that listens there; -1 with errno. `both`: IPv4 on an IPv6 socket, too.
int listener(const addrinfo& address, bool both) {
  int socket = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, alone = !both;
  if (socket < 0) return -1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &alone, sizeof alone);
  if (bind(socket, address.ai_addr, address.ai_addrlen) == 0 && ::listen(socket, SOMAXCONN) == 0) return socket;
  int wrong = errno;
  close(socket);
  errno = wrong;
  return -1;
}

void allow_many_sockets(std::size_t connections) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t wanted = connections + 512;  // the rest: connections to servers
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(limit.rlim_max, wanted);
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

bool accepts_gzip(std::string_view header) {
  for (std::string_view element : split(header, ',')) {
    std::vector<std::string_view> parts = split(element, ';');
    if (!alike(parts[0], "gzip") && !alike(parts[0], "x-gzip")) continue;
    return std::none_of(parts.begin() + 1, parts.end(), [](std::string_view part) {  // q=0, or q=0.000
      return part.size() > 2 && alike(part.substr(0, 2), "q=") &&
             part.find_first_not_of("0.", 2) == std::string_view::npos;
    });
  }
  return false;
}

struct HttpServer::Connection {
  enum class State : std::uint8_t {
    kReading,  // a request, or its first byte is awaited
    kWorking,  // a worker has the request
    kWriting,
    kLeaving,  // all is sent; what the client still sends is not read by anybody
  } state = State::kReading;
  std::unique_ptr<Channel> channel;
  std::string input, output;
  std::size_t sent = 0;
  bool keep = false;
  Clock::time_point deadline;
};

HttpServer::HttpServer(HttpLimits limits)
    : limits_(limits), epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (epoll_ < 0 || wake_ < 0) throw std::system_error(errno, std::generic_category(), "epoll");
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWake}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  allow_many_sockets(limits_.connections);
  protocol_.set_keep_alive_timeout(limits_.idle.count());  // what its responses say
  protocol_.set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
    response.status = 500;
    response.set_content("internal error\n", "text/plain; charset=utf-8");
  });
  protocol_.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    if (admit_ && !admit_(request, response)) return httplib::Server::HandlerResponse::Handled;
    const Handler* handler = handler_of(request.path);
    if (request.method != "GET" && request.method != "HEAD") {
      response.status = 405;
      response.set_header("Allow", "GET, HEAD");
      response.set_content("method not allowed, allowed are GET and HEAD\n", "text/plain; charset=utf-8");
    } else if (!handler) {
      response.status = 404;
      response.set_content("not found, see /\n", "text/plain; charset=utf-8");
    } else {
      (*handler)(request, response);
    }
    return httplib::Server::HandlerResponse::Handled;
  });
}

const HttpServer::Handler* HttpServer::handler_of(const std::string& path) const {
  if (auto found = handlers_.find(path); found != handlers_.end()) return &found->second;
  for (const auto& [folder, handler] : folders_)
    if (path.starts_with(folder)) return &handler;
  return nullptr;
}

HttpServer::~HttpServer() {
  for (int listener : listeners_) close(listener);
  connections_.clear();
  close(wake_);
  close(epoll_);
}

std::string HttpServer::listen(const std::string& address) {
  std::size_t colon = address.rfind(':');
  auto refuse = [&](const std::string& why) {
    return std::runtime_error("cannot listen on '" + address + "': " + why);
  };
  std::string host = address.substr(0, colon), port = colon == std::string::npos ? "" : address.substr(colon + 1);
  bool digits = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoi(port) > 65535)
    throw std::invalid_argument(
        refuse("allowed are host:port, [ipv6]:port and :port, with a port of at most 65535").what());
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  addrinfo* list = nullptr;
  if (int wrong = getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &list))
    throw refuse(gai_strerror(wrong));
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(list, freeaddrinfo);
  std::vector<addrinfo*> all;
  for (addrinfo* next = list; next; next = next->ai_next) all.push_back(next);
  if (host.empty())  // an IPv6 socket takes both; IPv4 alone only where there is no other
    std::stable_partition(all.begin(), all.end(), [](const addrinfo* each) { return each->ai_family == AF_INET6; });
  int socket = -1;
  for (const addrinfo* each : all) {
    socket = listener(*each, host.empty());
    bool elsewhere = errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;  // this machine has no such addresses
    if (socket >= 0 || !elsewhere) break;
  }
  if (socket < 0) throw refuse(std::strerror(errno));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kListener | listeners_.size()}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  listeners_.push_back(socket);

  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
  std::array<char, NI_MAXHOST> name;
  std::array<char, NI_MAXSERV> number;
  getnameinfo(reinterpret_cast<sockaddr*>(&bound), size, name.data(), name.size(), number.data(), number.size(),
              NI_NUMERICHOST | NI_NUMERICSERV);
  bool ipv6 = bound.ss_family == AF_INET6;
  return (ipv6 ? "[" : "") + std::string(name.data()) + (ipv6 ? "]:" : ":") + number.data();
}

void HttpServer::stop() noexcept {
  stopping_ = true;
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(wake_, &one, sizeof one);
}

void HttpServer::reload() noexcept {
  reloading_ = true;
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(wake_, &one, sizeof one);
}

void HttpServer::run(const std::function<void()>& give_up) {
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < limits_.workers; ++i) workers.emplace_back([this] { work(); });
  std::array<epoll_event, 256> events;
  Clock::time_point end = Clock::time_point::max();
  auto busy = [this] {
    if (std::lock_guard lock(mutex_); working_ || !jobs_.empty() || !answers_.empty()) return true;
    return std::ranges::any_of(connections_,
                               [](auto& each) { return each.second.state == Connection::State::kWriting; });
  };
  while (!stopping_ || (busy() && Clock::now() < end)) {
    int ready = epoll_wait(epoll_, events.data(), events.size(), 250);
    if (stopping_ && end == Clock::time_point::max()) {
      end = Clock::now() + kLastAnswers;
      for (int listener : listeners_) close(listener);
      listeners_.clear();
    }
    for (int i = 0; i < ready; ++i) {
      std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
      if (id == kWake) {
        std::uint64_t count;
        [[maybe_unused]] ssize_t got = read(wake_, &count, sizeof count);
      } else if (id & kListener) {
        if (!stopping_) accept_all(listeners_[id & ~kListener]);
      } else {
        advance(id);
      }
    }
    take_answers();
    drop_late();
    tell_of_refused();
    if (reloading_.exchange(false) && on_reload_) on_reload_();
  }
  if (give_up) give_up();
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  job_came_.notify_all();
  for (std::thread& worker : workers) worker.join();
}

void HttpServer::accept_all(int listener) {
  for (int count = 0; count < 64; ++count) {  // then the others' turn
    if (connections_.size() >= limits_.connections) make_room();
    int socket = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
      if (errno == EMFILE || errno == ENFILE) make_room();
      return;
    }
    if (connections_.size() >= limits_.connections) {  // all others are being answered
      ++refused_;
      close(socket);
      continue;
    }
    int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::uint64_t id = next_id_++;
    Connection& connection = connections_[id];
    connection.channel = std::make_unique<Channel>(socket, tls_.get());
    connection.deadline = Clock::now() + limits_.head;
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = id}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
  }
}

// Takes the place of the connection that has been sending its request for the longest.
void HttpServer::make_room() {
  for (auto& [id, connection] : connections_)
    if (connection.state == Connection::State::kReading || connection.state == Connection::State::kLeaving) {
      refused_ += connection.state == Connection::State::kReading;
      return drop(id);
    }
}

// Once in ten seconds, however many there are.
void HttpServer::tell_of_refused() {
  std::uint64_t refused = refused_;
  if (refused == told_ || Clock::now() - told_at_ < std::chrono::seconds(10)) return;
  log(Level::kWarning, "clients were turned away, there is no room for more at once",
      {{"count", std::to_string(refused - told_)}});
  told_ = refused;
  told_at_ = Clock::now();
}

void HttpServer::drop_late() {
  Clock::time_point now = Clock::now();
  for (auto next = connections_.begin(); next != connections_.end();) {
    auto& [id, connection] = *next++;
    if (connection.state != Connection::State::kWorking && connection.deadline < now) drop(id);
  }
}

void HttpServer::drop(std::uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  unsent_bytes_ -= found->second.output.size();
  connections_.erase(found);
}

void HttpServer::advance(std::uint64_t id) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;  // dropped since
  Connection& connection = found->second;
  if (connection.state == Connection::State::kReading) return receive(id, connection);
  if (connection.state == Connection::State::kWriting) return send(id, connection);
  if (connection.state != Connection::State::kLeaving) return;
  Channel::Outcome outcome = Channel::Outcome::kDone;
  for (int part = 0; part < 16 && outcome == Channel::Outcome::kDone; ++part) {
    connection.input.clear();
    outcome = connection.channel->receive(connection.input, kLeavingBytes);
  }
  if (outcome != Channel::Outcome::kLater) drop(id);
}

void HttpServer::receive(std::uint64_t id, Connection& connection) {
  bool first = connection.input.empty();
  Channel::Outcome outcome = connection.channel->receive(connection.input, limits_.head_bytes);
  if (connection.input.find(kHeadEnd) != std::string::npos) return hand_over(id, connection);
  if (outcome == Channel::Outcome::kGone) return drop(id);
  if (outcome == Channel::Outcome::kDone)
    return respond(id, refusal("431 Request Header Fields Too Large", "the request is too large\n"), false);
  if (first && !connection.input.empty())
    connection.deadline = std::min(connection.deadline, Clock::now() + limits_.head);
}

void HttpServer::hand_over(std::uint64_t id, Connection& connection) {
  std::size_t size = connection.input.find(kHeadEnd) + kHeadEnd.size();
  Job job{id, connection.input.substr(0, size), connection.channel->peer()};
  connection.input.erase(0, size);
  connection.state = Connection::State::kWorking;
  {
    std::lock_guard lock(mutex_);
    if (jobs_.size() < limits_.waiting) {
      jobs_.push_back(std::move(job));
      job_came_.notify_one();
      return;
    }
  }
  ++refused_;
  respond(id, refusal("503 Service Unavailable", "too many requests at once\n"), false);
}

void HttpServer::respond(std::uint64_t id, std::string response, bool keep) {
  auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (unsent_bytes_ + response.size() > limits_.unsent_bytes) {
    ++refused_;
    response = refusal("503 Service Unavailable", "too many responses are not read\n");
    keep = false;
  }
  connection.output = std::move(response);
  unsent_bytes_ += connection.output.size();
  connection.sent = 0;
  connection.keep = keep;
  connection.state = Connection::State::kWriting;
  connection.deadline = Clock::now() + limits_.response;
  send(id, connection);
}

void HttpServer::send(std::uint64_t id, Connection& connection) {
  Channel::Outcome outcome = connection.channel->send(connection.output, connection.sent);
  if (outcome == Channel::Outcome::kLater) return;
  if (outcome == Channel::Outcome::kGone) return drop(id);
  unsent_bytes_ -= connection.output.size();
  connection.output = {};
  if (connection.keep) {
    connection.state = Connection::State::kReading;
    connection.deadline = Clock::now() + (connection.input.empty() ? limits_.idle : limits_.head);
    return receive(id, connection);  // what came meanwhile tells of itself no more
  }
  connection.channel->finish();
  connection.state = Connection::State::kLeaving;
  connection.deadline = Clock::now() + kFarewell;
  advance(id);
}

void HttpServer::take_answers() {
  std::vector<Answer> answers;
  {
    std::lock_guard lock(mutex_);
    answers.swap(answers_);
  }
  for (Answer& each : answers) respond(each.connection, std::move(each.response), each.keep && !stopping_);
}

void HttpServer::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    job_came_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    ++working_;
    lock.unlock();
    auto [response, keep] = answer(job.head, job.peer);
    lock.lock();
    answers_.push_back({job.connection, std::move(response), keep});
    --working_;
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t written = write(wake_, &one, sizeof one);
  }
}

std::pair<std::string, bool> HttpServer::answer(const std::string& head, const std::string& peer) {
  Exchange exchange(head, peer);
  bool closed = false, asked_to = false;
  bool good = protocol_.process_request(exchange, false, closed, [&](httplib::Request& request) {
    simplify(request);
    asked_to = request.get_header_value("Connection") == "close";
  });
  return {exchange.take(), good && !closed && !asked_to};
}

}  // namespace tenants::tool
