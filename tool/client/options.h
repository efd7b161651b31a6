// The options that say which servers are meant: names and environment as in valkey-cli.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tool/client/target.h"

namespace CLI {
class App;
}

namespace tenants::tool {

struct ConnectionOptions {
  std::vector<std::string> hosts, sockets, uris;
  std::vector<int> ports;
  std::string targets_file, user, password_file;
  std::vector<std::string> only;  // names of targets; none: all
  bool ask_password = false, cluster = false;
  std::string sentinel;
  Tls tls;
  double timeout_seconds = 5;

  std::chrono::milliseconds timeout() const {
    return std::chrono::milliseconds(static_cast<long long>(timeout_seconds * 1000));
  }
};

void add_connection_options(CLI::App& app, ConnectionOptions& options);

// At least one; 127.0.0.1:6379 where none is named. The password is that of --password-file, --askpass, VALKEYCLI_AUTH
// or REDISCLI_AUTH, the first there is. Throws Failure kUsage.
std::vector<Target> chosen_targets(const ConnectionOptions& options);

}  // namespace tenants::tool
