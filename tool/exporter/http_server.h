// An HTTP server that no slow client can stop, and no thousand of them.
//
// One thread waits for all sockets at once: new connections, TLS handshakes, requests, responses. Only a request that
// has arrived completely goes to a worker, and its response is sent by the waiting thread again, so a client that sends
// or reads a byte at a time costs a place in a table and never a worker. Everything has a limit: who comes when all
// places are taken takes that of the connection that has been sending its request for the longest; what the workers
// can't take is answered with 503 at once.
//
// Requests are parsed and responses written by cpp-httplib.
#pragma once

#include <httplib.h>
#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace tenants::tool {

class Channel;

// Does a client with this Accept-Encoding take gzip (RFC 9110, 12.5.3)?
bool accepts_gzip(std::string_view header);

struct HttpLimits {
  std::size_t connections = 2000;      // at once
  std::size_t head_bytes = 16384;      // of a request line and its headers
  std::size_t workers = 16;            // requests that are answered at once
  std::size_t waiting = 128;           // requests that wait for a worker
  std::size_t unsent_bytes = 1 << 28;  // of all responses that clients have not read yet
  std::chrono::seconds head{5};        // for a TLS handshake and the whole request
  std::chrono::seconds idle{60};       // between two requests
  std::chrono::seconds response{30};   // for the client to read all of it
};

class HttpServer {
 public:
  // Answers one request, on a worker. May throw: the client gets 500 and is not told why.
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  explicit HttpServer(HttpLimits limits = {});
  ~HttpServer();

  // Before run(). GET and HEAD of exactly this path go to `handler`; everything else is 404 or 405.
  void on(std::string path, Handler handler) { handlers_[std::move(path)] = std::move(handler); }
  // Before run(). Likewise, of all paths that begin with this one; on() goes first.
  void on_all_below(std::string path, Handler handler) { folders_[std::move(path)] = std::move(handler); }
  // Before run(). Asked first, for every request; false: it has filled in the response, a refusal.
  void admit(std::function<bool(const httplib::Request&, httplib::Response&)> check) { admit_ = std::move(check); }
  // Before run(). In every response to a request that could be parsed.
  void always_send(httplib::Headers headers) { protocol_.set_default_headers(std::move(headers)); }
  // Before run(), or from what on_reload() was given. All listeners speak TLS; null: plain. Connections that are open
  // stay as they are.
  void use_tls(std::shared_ptr<SSL_CTX> context) { tls_ = std::move(context); }
  // Before run(). What reload() asks for; called between two requests of the thread that waits.
  void on_reload(std::function<void()> reload) { on_reload_ = std::move(reload); }

  // Listens on "host:port", "[ipv6]:port" or ":port" (all addresses); port 0: any free one. Returns host:port as it is
  // now. Throws what was wrong: std::invalid_argument where it is no address, std::runtime_error where the system
  // refuses.
  std::string listen(const std::string& address);

  // Answers requests until stop(). Then what is being answered is finished, for at most five seconds; what is not by
  // then, `give_up` has to end.
  void run(const std::function<void()>& give_up = {});

  // From any thread or signal handler.
  void stop() noexcept;
  void reload() noexcept;

  // Requests answered with 503, and connections closed, for want of room. From any thread.
  std::uint64_t refused() const { return refused_; }

  // The response to the bytes of one request, up to the empty line, from a client of this address; and whether its
  // connection may stay. What a worker does; from any thread.
  std::pair<std::string, bool> answer(const std::string& head, const std::string& peer);

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection;
  struct Job {
    std::uint64_t connection;
    std::string head, peer;
  };
  struct Answer {
    std::uint64_t connection;
    std::string response;
    bool keep;  // the connection
  };

  void accept_all(int listener);
  void advance(std::uint64_t id);
  void receive(std::uint64_t id, Connection& connection);
  void hand_over(std::uint64_t id, Connection& connection);
  void respond(std::uint64_t id, std::string response, bool keep);
  void send(std::uint64_t id, Connection& connection);
  void drop(std::uint64_t id);
  void make_room();
  void drop_late();
  void take_answers();
  void tell_of_refused();
  void work();

  // What cpp-httplib does: parse, ask, write.
  class Protocol : public httplib::Server {
   public:
    using httplib::Server::process_request;
  };

  const HttpLimits limits_;
  Protocol protocol_;
  const Handler* handler_of(const std::string& path) const;

  std::map<std::string, Handler, std::less<>> handlers_, folders_;
  std::function<bool(const httplib::Request&, httplib::Response&)> admit_;
  std::shared_ptr<SSL_CTX> tls_;

  int epoll_, wake_;
  std::vector<int> listeners_;
  std::map<std::uint64_t, Connection> connections_;  // by number: the oldest first
  std::uint64_t next_id_ = 0;
  std::size_t unsent_bytes_ = 0;
  std::atomic<bool> stopping_{false}, reloading_{false};
  std::function<void()> on_reload_;
  std::atomic<std::uint64_t> refused_{0};
  std::uint64_t told_ = 0;  // of them, in the log
  Clock::time_point told_at_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable job_came_;
  std::deque<Job> jobs_;
  std::vector<Answer> answers_;
  std::size_t working_ = 0;
  bool closed_ = false;
};

}  // namespace tenants::tool
