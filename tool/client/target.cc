#include "tool/client/target.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "module/accounting/number.h"
#include "tool/client/failure.h"
#include "tool/client/printable.h"

namespace tenants::tool {

namespace {

[[noreturn]] void refuse(const std::string& what) { throw Failure(Exit::kUsage, what); }

int parse_port(std::string_view text, std::string_view whole) {
  auto port = number_in<int>(text);
  if (!port || *port < 1 || *port > 65535) refuse("invalid port in '" + printable(whole) + "', allowed is 1 to 65535");
  return *port;
}

// %41 is A. Anything after % that is no hexadecimal pair stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 1] + 2, byte, 16).ptr == &text[i + 1] + 2) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

}  // namespace

std::string Address::text() const {
  if (!socket.empty()) return socket;
  bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address Target::reached(const Address& announced) const {
  Address here = announced;
  for (const Detour& detour : detours) {
    if (detour.announced == announced) return detour.here;
    if (detour.every_port && detour.announced.host == announced.host) here.host = detour.here.host;
  }
  return here;
}

std::string Login::secret() const {
  if (password_file.empty()) return password;
  std::ifstream file(password_file);
  std::string line;
  if (!std::getline(file, line) && !file.eof()) refuse("cannot read the password file " + printable(password_file));
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) refuse("the password file " + printable(password_file) + " has no first line");
  return line;
}

std::string secret_of_environment(const std::string& name) {
  static std::map<std::string, std::string> secrets;
  auto [found, is_new] = secrets.try_emplace(name);
  char* value = is_new ? std::getenv(name.c_str()) : nullptr;
  if (!value) return found->second;
  found->second = value;
  explicit_bzero(value, found->second.size());
  return found->second;
}

void check_host(std::string_view host) {
  if (host.find('@') != std::string_view::npos || host.find("://") != std::string_view::npos)
    refuse("an address is host:port, [IPv6]:port or a path; a URI is given with --uri, a user with --user");
  if (host.empty() || host.starts_with('.') || host.find_first_of("/ \t\n") != std::string_view::npos)
    refuse("invalid host '" + printable(host) + "', allowed is a name or an IP address");
}

Address parse_address(std::string_view text) {
  Address address;
  if (text.starts_with('/') || text.starts_with('.')) {
    address.socket = text;
    return address;
  }
  std::string_view host = text, port;
  if (text.starts_with('[')) {
    std::size_t close = text.find(']');
    if (close == std::string_view::npos) refuse("invalid address '" + printable(text) + "', a bracket is not closed");
    host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!port.empty() && !port.starts_with(':'))
      refuse("invalid address '" + printable(text) + "', allowed is [IPv6]:port");
  } else if (std::ranges::count(text, ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(host.size());
  }
  check_host(text.find('@') == std::string_view::npos ? host : text);
  address.host = host;
  if (!port.empty()) address.port = parse_port(port.substr(1), text);
  return address;
}

void apply_uri(std::string_view uri, Target& target) {
  std::size_t colon = uri.find("://");
  std::string_view scheme = uri.substr(0, colon == std::string_view::npos ? 0 : colon);
  bool tls = scheme == "valkeys" || scheme == "rediss";
  if (!tls && scheme != "valkey" && scheme != "redis" && scheme != "unix")
    refuse("invalid URI, allowed are valkey://host:port, valkeys://host:port (TLS) and unix:///path");
  std::string_view rest = uri.substr(colon + 3);
  // The last @ of all: a password may hold a slash, and must not be taken for an address that an error repeats.
  if (std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    std::string_view user = rest.substr(0, at);
    if (user.find_first_of(":/@") != std::string_view::npos)
      refuse(
          "a password in a URI is refused, every user of this machine can read a command line; "
          "put it into VALKEYCLI_AUTH or --password-file");
    target.login.user = percent_decoded(user);
    rest.remove_prefix(at + 1);
  }
  if (scheme == "unix") {
    if (!rest.starts_with('/')) refuse("invalid URI, allowed is unix:///path/of/socket");
    target.address = parse_address(percent_decoded(rest));
    return;
  }
  std::string_view database = rest.substr(std::min(rest.find('/'), rest.size()));
  if (database.size() > 1 && database.find_first_not_of("0123456789", 1) != std::string_view::npos)
    refuse("invalid URI, after the port only the number of a database may follow");
  target.address = parse_address(rest.substr(0, rest.size() - database.size()));
  target.tls.enabled |= tls;
}

}  // namespace tenants::tool
