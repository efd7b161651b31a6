#include "tool/exporter/exporter.h"

#include <malloc.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include "tool/client/stream.h"
#include "tool/exporter/history.h"
#include "tool/exporter/http_server.h"
#include "tool/exporter/log.h"
#include "tool/exporter/scraper.h"
#include "tool/exporter/site.h"
#include "tool/exporter/web_config.h"

namespace tenants::tool {

namespace {

struct Options {
  std::vector<std::string> addresses{"127.0.0.1:10911"};
  std::string config_file;
  unsigned history_interval = 5;  // seconds; 0: none is kept
  bool keys = false;              // the names of the largest are shown
  SiteOptions site;
};

std::atomic<HttpServer*> running{nullptr};

void on_signal(int signal) {
  HttpServer* server = running;
  if (server) signal == SIGHUP ? server->reload() : server->stop();
}

// A file is read anew; a bad one changes nothing.
template <typename Load>
void reload(const std::string& what, const std::string& file, Load load) {
  if (file.empty()) return;
  try {
    load();
    log(Level::kInfo, what + " loaded anew", {{"file", file}});
  } catch (const Failure& wrong) {
    log(Level::kError, what + " left as before", {{"reason", wrong.what()}});
  }
}

void check_metrics_path(const std::string& path) {
  bool good = path.size() > 1 && path[0] == '/' && path.find_first_of("?#% ") == std::string::npos;
  for (const char* own : {"/tenants", "/page.css", "/page.js", "/-/healthy", "/-/ready"}) good &= path != own;
  good &= !path.starts_with("/tenants/");
  if (!good)
    throw Failure(Exit::kUsage, "cannot serve metrics on '" + path +
                                    "', allowed is a path that begins with /, has no ?, #, % or space in it, and is "
                                    "none that this program has already");
}

// What a large reading took goes back to the system: else each thread keeps its share for the next one.
void keep_memory_small() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

// Reads at intervals until it is destroyed: the page has trends, and rates of the last seconds at the first look.
class Background {
 public:
  Background(Scraper& scraper, History& history, std::chrono::seconds interval)
      : thread_([this, &scraper, &history, interval](const std::stop_token& stop) {
          auto next = std::chrono::steady_clock::now();
          std::unique_lock lock(mutex_);
          do {
            history.add(read(scraper, interval));
            next = std::max(next + interval, std::chrono::steady_clock::now());
          } while (interval.count() > 0 && !wake_.wait_until(lock, stop, next, [&] { return stop.stop_requested(); }));
        }) {}
  ~Background() { Stream::give_up(); }  // all requests are answered by then

 private:
  static SharedReading read(Scraper& scraper, std::chrono::milliseconds interval) {
    try {
      return interval.count() ? scraper.read_in_background(interval / 2) : scraper.read();
    } catch (const std::exception& wrong) {
      log(Level::kError, "cannot read", {{"reason", wrong.what()}});
      return nullptr;
    }
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

int run(const ConnectionOptions& connection, Options options) {
  keep_memory_small();
  check_metrics_path(options.site.metrics_path);
  WebConfig config;
  if (!options.config_file.empty()) config = read_web_config(options.config_file);
  std::vector<Target> targets = chosen_targets(connection);
  std::string count = std::to_string(targets.size());

  Inquirer inquirer(targets, connection.timeout(), options.keys);
  Scraper scraper(std::move(targets), connection.timeout(), {.prefixes = options.site.prefixes});
  History history;
  Site site(scraper, options.site, options.history_interval ? &history : nullptr, &inquirer);
  site.set_users(config.users);
  HttpServer server;
  server.use_tls(config.tls);
  server.on_reload([&] {
    reload("web configuration", options.config_file, [&] {
      WebConfig anew = read_web_config(options.config_file);
      server.use_tls(anew.tls);
      site.set_users(anew.users);
    });
    inquirer.ask_again();
    reload("targets", connection.targets_file, [&] {
      std::vector<Target> anew = chosen_targets(connection);
      inquirer.use(anew);
      scraper.use(std::move(anew));
    });
  });
  site.install(server);
  if (config.headers_ignored) log(Level::kWarning, "http_server_config is not used", {{"file", options.config_file}});
  for (const std::string& address : options.addresses) {
    std::string bound;
    try {
      bound = server.listen(address);
    } catch (const std::invalid_argument& wrong) {
      throw Failure(Exit::kUsage, wrong.what());
    }
    log(Level::kInfo, "listening",
        {{"address", bound},
         {"tls", config.tls ? "true" : "false"},
         {"auth", config.users.empty() ? "false" : "true"}});
    bool is_local = bound.starts_with("127.") || bound.starts_with("[::1]");
    if (config.users.empty() && !is_local)
      log(Level::kWarning, "whoever reaches this address can read every tenant's name; see --web.config.file",
          {{"address", bound}});
  }
  running = &server;
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) std::signal(signal, on_signal);
  log(Level::kInfo, "started", {{"version", TENANTS_VERSION}, {"targets", count}});
  {
    Background background(scraper, history, std::chrono::seconds(options.history_interval));
    server.run([] { Stream::give_up(); });
    running = nullptr;
  }
  log(Level::kInfo, "stopped");
  return static_cast<int>(Exit::kOk);
}

}  // namespace

Subcommand add_exporter(CLI::App& program, const ConnectionOptions& connection) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("exporter", "Metrics for Prometheus, and a page for people");
  app->footer(
      "  valkey-tenants exporter                              of 127.0.0.1:6379, on http://127.0.0.1:10911\n"
      "  valkey-tenants -c -h 10.0.0.1 exporter               of a whole cluster\n"
      "  valkey-tenants --targets servers.yml exporter --web.listen-address :10911 --web.config.file web.yml");
  app->add_option("--web.listen-address", options->addresses, "Address to listen on (127.0.0.1:10911); may be repeated")
      ->type_name("HOST:PORT");
  app->add_option("--web.telemetry-path", options->site.metrics_path, "Path of the metrics (/metrics)")
      ->type_name("PATH");
  app->add_option("--web.config.file", options->config_file,
                  "TLS and passwords, in the format of Prometheus' exporter-toolkit")
      ->type_name("FILE");
  app->add_option("--web.history-interval", options->history_interval,
                  "Seconds between the readings that the page's trends are made of (5); 0: no trends")
      ->type_name("SECONDS")
      ->check(CLI::Range(0U, 60U).description(""));
  app->add_flag("--web.keys", options->keys, "Show the names of a tenant's largest keys on its page");
  CLI::Validator up_to_a_million = CLI::Range(std::size_t{1}, std::size_t{1'000'000}).description("");
  app->add_option("--tenants.max", options->site.max_tenants,
                  "Most tenants, and prefixes, in the metrics (1000); the rest is summed in (other)")
      ->type_name("N")
      ->check(up_to_a_million);
  app->add_option("--tenants.max-prefixes", options->site.max_prefixes, "Most prefixes of one tenant likewise (100)")
      ->type_name("N")
      ->check(up_to_a_million);
  app->add_flag_callback(
      "--no-collect.prefixes", [options] { options->site.prefixes = false; }, "No metrics of prefixes");
  return {app, [&connection, options] { return run(connection, *options); }};
}

}  // namespace tenants::tool
