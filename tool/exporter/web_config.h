// The file of --web.config.file: TLS and passwords, in the format of Prometheus' exporter-toolkit.
//
//     tls_server_config:
//       cert_file: server.crt        # relative to this file
//       key_file: server.key
//       client_auth_type: RequireAndVerifyClientCert
//       client_ca_file: clients.crt
//       min_version: TLS12
//     basic_auth_users:
//       prometheus: $2y$10$…          # htpasswd -nBC 10 prometheus
#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <string>

namespace tenants::tool {

struct WebConfig {
  std::shared_ptr<SSL_CTX> tls;              // null: plain
  std::map<std::string, std::string> users;  // bcrypt hashes; empty: no password
  bool headers_ignored = false;              // it has an http_server_config, which says nothing to this program
};

// Throws Failure kUsage that names the file, the line and the key, never a hash.
WebConfig read_web_config(const std::string& path);

}  // namespace tenants::tool
