// What the exporter answers on each path.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <string>

#include "tool/exporter/history.h"
#include "tool/exporter/http_server.h"
#include "tool/exporter/inquirer.h"
#include "tool/exporter/metrics.h"
#include "tool/exporter/passwords.h"
#include "tool/exporter/scraper.h"

namespace tenants::tool {

struct SiteOptions {
  std::string metrics_path = "/metrics";
  std::size_t max_tenants = 1000;
  std::size_t max_prefixes = 100;  // of one tenant
  bool prefixes = true;
};

class Site {
 public:
  // `history` may be null: the pages have no trends; `inquirer`, too: they show what the readings have.
  Site(Scraper& scraper, const SiteOptions& options, const History* history = nullptr, Inquirer* inquirer = nullptr);

  // Puts all paths, the check of passwords and the headers into the server. This must live as long as it runs.
  void install(HttpServer& server);
  // Names and bcrypt hashes; empty: no password is asked for. From any thread.
  void set_users(const std::map<std::string, std::string>& users);

 private:
  struct Selections {
    Selections(std::size_t most, std::size_t most_of_one)
        : most(most), tenants(Table::kTenants, most), prefixes(Table::kPrefixes, most, most_of_one) {}
    const std::size_t most;
    Selection tenants, prefixes;
  };

  bool admit(const httplib::Request& request, httplib::Response& response);
  void metrics(const httplib::Request& request, httplib::Response& response);
  void ready(const httplib::Request& request, httplib::Response& response);
  void front(const httplib::Request& request, httplib::Response& response);
  void tenants(const httplib::Request& request, httplib::Response& response);
  void tenant(const httplib::Request& request, httplib::Response& response);
  std::shared_ptr<Selections> selections(std::size_t most);

  Scraper& scraper_;
  const SiteOptions options_;
  const History* const history_;
  Inquirer* const inquirer_;
  const HttpServer* server_ = nullptr;
  std::mutex mutex_;                                   // guards what follows
  std::shared_ptr<Passwords> passwords_;               // null: none is asked for
  std::list<std::shared_ptr<Selections>> selections_;  // one for each ?top= in use; the last used first
};

}  // namespace tenants::tool
