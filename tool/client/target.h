// Which servers are meant, and how to get in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenants::tool {

struct Address {
  std::string host;  // name, IPv4 or IPv6 without brackets; empty where it is a unix socket
  int port = 6379;
  std::string socket;  // path of a unix socket

  // "host:port", "[IPv6]:port", or the path. It is the operator's own text or a node's: escape it before a terminal.
  std::string text() const;
  bool operator==(const Address&) const = default;
};

struct Login {
  std::string user;           // empty: default
  std::string password;       // from the environment or a prompt; empty: none
  std::string password_file;  // read anew whenever a connection opens, so that a new secret needs no restart

  // The password, or empty. Throws Failure kUsage where the file cannot be read; never names what is in it.
  std::string secret() const;
};

struct Tls {
  bool enabled = false;
  std::string ca_file, ca_directory;  // both empty: the system's
  std::string certificate, key;       // the client's own, PEM
  std::string server_name;            // for SNI and for the check of the certificate; empty: the host
  bool insecure = false;              // accepts any certificate
};

// Where a node is reached from here that announces another address, as one behind NAT does.
struct Detour {
  Address announced, here;
  bool every_port = false;  // of that host: the port stays
};

struct Target {
  std::string name;  // of the cluster or server, as the operator calls it; may be empty, and several may share it
  Address address;
  bool cluster = false;  // the address is one node of many
  std::string sentinel;  // not empty: it is a Sentinel's, and the primary of this name and its replicas are meant
  Login login;
  Login sentinel_login;  // towards Sentinels, which mostly want none
  Tls tls;
  std::vector<Detour> detours;

  // Of a node, or a Sentinel, that announces this.
  Address reached(const Address& announced) const;
  bool leads_to_others() const { return cluster || !sentinel.empty(); }
};

// "host:port", "host", "[IPv6]:port", or the path of a unix socket, which begins with / or a dot. Throws Failure
// kUsage, and does not repeat what looks like a URI or a login: it may hold a password.
Address parse_address(std::string_view text);
// Throws where this is no name or address of a host, as above.
void check_host(std::string_view host);

// The value of this variable of the environment, or empty. It is overwritten there: /proc/PID/environ shows it no more.
std::string secret_of_environment(const std::string& name);

// valkey://[user@]host[:port][/db], valkeys:// for TLS, redis:// and rediss:// likewise, unix:///path. The database is
// passed over: what is measured is of all of them. Takes address, user and TLS, keeps the rest of `target`. Throws
// Failure kUsage, also where the URI holds a password: every user of the machine can read a command line.
void apply_uri(std::string_view uri, Target& target);

// A YAML file of targets (docs/tool.md). Throws Failure kUsage that names the file, the line and the key.
std::vector<Target> read_targets(const std::string& path);

}  // namespace tenants::tool
