#include "tool/client/options.h"

#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "tool/client/failure.h"
#include "tool/client/printable.h"

namespace tenants::tool {

void add_connection_options(CLI::App& app, ConnectionOptions& options) {
  const char* group = "Servers";
  app.add_option("-h,--host", options.hosts, "Server; may be repeated")
      ->allow_extra_args(false)
      ->type_name("HOST")
      ->group(group);
  app.add_option("-p,--port", options.ports, "Port (6379); may be repeated: one for all hosts, or one for each")
      ->allow_extra_args(false)
      ->type_name("PORT")
      ->check(CLI::Range(1, 65535).description(""))
      ->group(group);
  app.add_option("-s,--socket", options.sockets, "Unix socket; may be repeated")
      ->allow_extra_args(false)
      ->type_name("PATH")
      ->group(group);
  app.add_option("-u,--uri", options.uris,
                 "valkey://[USER@]HOST:PORT, valkeys:// for TLS, unix:///PATH; may be repeated")
      ->allow_extra_args(false)
      ->type_name("URI")
      ->group(group);
  app.add_option("--targets", options.targets_file, "YAML file of servers, instead of naming them here")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--only", options.only, "Of these servers, those of this name in the file; may be repeated")
      ->allow_extra_args(false)
      ->type_name("NAME")
      ->group(group);
  app.add_flag("-c,--cluster", options.cluster, "Each server is one node of a cluster: find and read all its nodes")
      ->group(group);
  app.add_option("--sentinel", options.sentinel,
                 "Each server is a Sentinel (port 26379): read the primary of this name and its replicas")
      ->type_name("NAME")
      ->group(group);
  app.add_option("-t,--timeout", options.timeout_seconds, "Most seconds that one node may take (5)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.01, 3600.0).description(""))
      ->group(group);
  group = "Login";
  app.add_option("--user", options.user,
                 "ACL user; its password is VALKEYCLI_AUTH or REDISCLI_AUTH, or by one of the next two")
      ->type_name("USER")
      ->group(group);
  app.add_option("--password-file", options.password_file, "Its first line is the password")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("--askpass", options.ask_password, "Ask for the password on the terminal")->group(group);
  app.add_option_function<std::string>(
         "-a,--pass",
         [](const std::string&) {
           throw Failure(Exit::kUsage,
                         "a password on the command line is refused, every user of this machine can read it; "
                         "use VALKEYCLI_AUTH, --password-file or --askpass");
         })
      ->group("");
  group = "TLS";
  app.add_flag("--tls", options.tls.enabled, "Use TLS")->group(group);
  app.add_option("--sni", options.tls.server_name, "Name that the server's certificate must have (the host)")
      ->type_name("NAME")
      ->group(group);
  app.add_option("--cacert", options.tls.ca_file, "Trusted CAs (the system's)")->type_name("FILE")->group(group);
  app.add_option("--cacertdir", options.tls.ca_directory, "Trusted CAs")->type_name("DIR")->group(group);
  app.add_option("--cert", options.tls.certificate, "Certificate of this client")->type_name("FILE")->group(group);
  app.add_option("--key", options.tls.key, "Its key")->type_name("FILE")->group(group);
  app.add_flag("--insecure", options.tls.insecure, "Accept any certificate")->group(group);
}

namespace {

std::string ask_password() {
  termios before{};
  if (::tcgetattr(STDIN_FILENO, &before) != 0)
    throw Failure(Exit::kUsage, "--askpass needs a terminal; use VALKEYCLI_AUTH or --password-file");
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);  // forgets what has been typed: before it is asked for
  std::cerr << "Password: " << std::flush;
  std::string line;
  std::getline(std::cin, line);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::cerr << '\n';
  return line;
}

// The hosts, each with its port: as many ports as hosts, one for all, or many of one host.
std::vector<Address> addresses(const ConnectionOptions& options) {
  std::vector<std::string> hosts = options.hosts;
  std::vector<int> ports = options.ports;
  if (hosts.empty() && !ports.empty()) hosts = {"127.0.0.1"};
  if (ports.empty()) ports = {options.sentinel.empty() ? 6379 : 26379};
  std::size_t count = std::max(hosts.size(), ports.size());
  if (hosts.size() > 1 && ports.size() > 1 && hosts.size() != ports.size())
    throw Failure(Exit::kUsage, std::to_string(hosts.size()) + " hosts and " + std::to_string(ports.size()) +
                                    " ports do not match, allowed is one port for all hosts, or one for each");
  std::vector<Address> all;
  for (const std::string& host : hosts) check_host(host);
  for (std::size_t i = 0; i < count && !hosts.empty(); ++i)
    all.push_back({hosts[hosts.size() == 1 ? 0 : i], ports[ports.size() == 1 ? 0 : i], ""});
  return all;
}

// All of them, where no names are given.
std::vector<Target> named_so(std::vector<Target> targets, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (std::ranges::find(targets, name, &Target::name) == targets.end()) {
      std::string allowed;
      for (const Target& target : targets)
        if (!target.name.empty() && allowed.find("'" + printable(target.name) + "'") == std::string::npos)
          allowed.append(allowed.empty() ? "" : ", ").append("'" + printable(target.name) + "'");
      throw Failure(Exit::kUsage, "--only: no target is named '" + printable(name) + "', " +
                                      (allowed.empty() ? "none has a name" : "there are " + allowed));
    }
  if (!names.empty())
    std::erase_if(targets, [&](const Target& target) { return !std::ranges::count(names, target.name); });
  return targets;
}

}  // namespace

std::vector<Target> chosen_targets(const ConnectionOptions& options) {
  bool named = !options.hosts.empty() || !options.ports.empty() || !options.sockets.empty() || !options.uris.empty();
  if (!options.targets_file.empty()) {
    if (named || options.cluster || !options.sentinel.empty() || options.tls.enabled || !options.user.empty() ||
        !options.password_file.empty() || options.ask_password)
      throw Failure(Exit::kUsage, "--targets names the servers and logins: put the other options into its file");
    return named_so(read_targets(options.targets_file), options.only);
  }
  if (!options.only.empty()) throw Failure(Exit::kUsage, "--only takes names of the file that --targets names");
  Target common;
  common.cluster = options.cluster;
  common.sentinel = options.sentinel;
  if (options.cluster && !options.sentinel.empty())
    throw Failure(Exit::kUsage, "--cluster and --sentinel exclude each other: a cluster fails over by itself");
  common.tls = options.tls;
  common.tls.enabled |= !options.tls.ca_file.empty() || !options.tls.ca_directory.empty() ||
                        !options.tls.certificate.empty() || !options.tls.server_name.empty();
  common.login = {options.user, "", options.password_file};
  std::string secret = secret_of_environment("VALKEYCLI_AUTH"), older = secret_of_environment("REDISCLI_AUTH");
  if (options.ask_password)
    common.login.password = ask_password();
  else if (options.password_file.empty())
    common.login.password = secret.empty() ? older : secret;
  std::vector<Target> targets;
  auto add = [&](const Address& address) { targets.push_back(common), targets.back().address = address; };
  for (const Address& address : addresses(options)) add(address);
  for (const std::string& socket : options.sockets) add({"", 0, socket});
  for (const std::string& uri : options.uris) {
    targets.push_back(common);
    apply_uri(uri, targets.back());
  }
  if (targets.empty()) add({"127.0.0.1", 6379, ""});
  return targets;
}

}  // namespace tenants::tool
