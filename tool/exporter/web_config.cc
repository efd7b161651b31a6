#include "tool/exporter/web_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tool/client/failure.h"
#include "tool/client/printable.h"
#include "tool/client/stream.h"
#include "tool/exporter/passwords.h"

namespace tenants::tool {

namespace {

using Names = std::initializer_list<const char*>;
template <typename Value>
using Choices = std::initializer_list<std::pair<const char*, Value>>;

std::string list(Names names) {
  std::string text;
  for (const char* name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

// Knows the file, to say where something is wrong.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  Failure wrong(const YAML::Mark& mark, const std::string& why) const {
    std::string line = mark.is_null() ? "" : ":" + std::to_string(mark.line + 1);
    return {Exit::kUsage, printable(path_ + line + ": " + why, 1000)};
  }
  Failure wrong(const YAML::Node& node, const std::string& why) const { return wrong(node.Mark(), why); }

  // A map that has no other keys than these, each once.
  void expect_keys(const YAML::Node& map, const std::string& what, Names allowed) const {
    if (!map.IsMap()) throw wrong(map, what + " is not a map");
    for (const auto& entry : map) {
      const std::string& key = entry.first.Scalar();
      if (std::ranges::find(allowed, key, [](const char* each) { return std::string(each); }) == allowed.end())
        throw wrong(entry.first, std::string("unknown key '")
                                     .append(key)
                                     .append("' in ")
                                     .append(what)
                                     .append(", allowed are ")
                                     .append(list(allowed)));
      if (std::ranges::count_if(map, [&](const auto& each) { return each.first.Scalar() == key; }) > 1)
        throw wrong(entry.first, "key '" + key + "' is there twice");
    }
  }

  std::string text(const YAML::Node& map, const char* key) const {
    YAML::Node value = map[key];
    if (!value) return {};
    if (!value.IsScalar()) throw wrong(value, std::string("the value of ") + key + " is not a text");
    return value.Scalar();
  }

  std::vector<std::string> texts(const YAML::Node& map, const char* key) const {
    std::vector<std::string> all;
    YAML::Node list = map[key];
    if (!list || list.IsNull()) return all;
    if (!list.IsSequence()) throw wrong(list, std::string("the value of ") + key + " is not a list");
    for (const YAML::Node& each : list) {
      if (!each.IsScalar()) throw wrong(each, std::string("an item of ") + key + " is not a text");
      all.push_back(each.Scalar());
    }
    return all;
  }

  // As exporter-toolkit does: relative to the folder of the file.
  std::string file(const YAML::Node& map, const char* key) const {
    std::string name = text(map, key);
    return name.empty() ? name : (std::filesystem::path(path_).parent_path() / name).string();
  }

  // One of `allowed`, by its name; nothing where the key is not there.
  template <typename Value>
  std::optional<Value> one_of(const YAML::Node& map, const char* key, Choices<Value> allowed) const {
    std::string name = text(map, key);
    return name.empty() ? std::nullopt : std::optional(chosen(map, key, name, allowed));
  }

  template <typename Value>
  Value chosen(const YAML::Node& map, const char* key, const std::string& name, Choices<Value> allowed) const {
    std::string all;
    for (const auto& [each, value] : allowed) {
      if (name == each) return value;
      all.append(all.empty() ? "" : ", ").append(each);
    }
    throw wrong(map[key], std::string(key) + " is '" + name + "', allowed are " + all);
  }

 private:
  std::string path_;
};

// By their names in the standards, the first one liked most. Of TLS 1.3 all are allowed where none is named.
void choose_ciphers(const Reader& reader, const YAML::Node& map, SSL_CTX* tls) {
  bool clients_choice =
      reader.one_of<bool>(map, "prefer_server_cipher_suites", {{"true", true}, {"false", false}}) == false;
  if (!clients_choice) SSL_CTX_set_options(tls, SSL_OP_CIPHER_SERVER_PREFERENCE);
  std::string older, newest;
  std::vector<std::string> names = reader.texts(map, "cipher_suites");
  for (const std::string& name : names) {
    std::string known = OPENSSL_cipher_name(name.c_str());
    bool is_newest = known == name;  // those of 1.3 have no other name
    auto use = is_newest ? SSL_CTX_set_ciphersuites : SSL_CTX_set_cipher_list;
    if (use(tls, known.c_str()) != 1)
      throw reader.wrong(map["cipher_suites"], "OpenSSL has no cipher suite '" + name +
                                                   "', names are like TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    std::string& all = is_newest ? newest : older;
    all.append(all.empty() ? "" : ":").append(known);
  }
  if (names.empty()) return;
  SSL_CTX_set_ciphersuites(tls, newest.empty() ? OSSL_default_ciphersuites() : newest.c_str());
  if (older.empty())
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
  else
    SSL_CTX_set_cipher_list(tls, older.c_str());
}

void choose_curves(const Reader& reader, const YAML::Node& map, SSL_CTX* tls) {
  std::string all;
  for (const std::string& name : reader.texts(map, "curve_preferences"))
    all.append(all.empty() ? "" : ":")
        .append(reader.chosen<const char*>(
            map, "curve_preferences", name,
            {{"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}}));
  if (!all.empty()) SSL_CTX_set1_curves_list(tls, all.c_str());
}

struct ClientCheck {
  int mode;
  bool verified;
};

std::shared_ptr<SSL_CTX> read_tls(const Reader& reader, const YAML::Node& map) {
  reader.expect_keys(map, "tls_server_config",
                     {"cert_file", "key_file", "client_auth_type", "client_ca_file", "min_version", "max_version",
                      "cipher_suites", "prefer_server_cipher_suites", "curve_preferences"});
  std::string certificate = reader.file(map, "cert_file"), key = reader.file(map, "key_file");
  if (certificate.empty() || key.empty()) throw reader.wrong(map, "tls_server_config needs cert_file and key_file");
  std::shared_ptr<SSL_CTX> tls(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!tls) throw Failure(Exit::kError, "cannot begin TLS: " + openssl_error());
  if (SSL_CTX_use_certificate_chain_file(tls.get(), certificate.c_str()) != 1)
    throw reader.wrong(map["cert_file"], "cannot use cert_file '" + certificate + "': " + openssl_error());
  if (SSL_CTX_use_PrivateKey_file(tls.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    throw reader.wrong(map["key_file"], "cannot use key_file '" + key + "': " + openssl_error());

  Choices<int> versions{
      {"TLS10", TLS1_VERSION}, {"TLS11", TLS1_1_VERSION}, {"TLS12", TLS1_2_VERSION}, {"TLS13", TLS1_3_VERSION}};
  SSL_CTX_set_min_proto_version(tls.get(), reader.one_of(map, "min_version", versions).value_or(TLS1_2_VERSION));
  SSL_CTX_set_max_proto_version(tls.get(), reader.one_of(map, "max_version", versions).value_or(0));
  choose_ciphers(reader, map, tls.get());
  choose_curves(reader, map, tls.get());
  SSL_CTX_set_options(tls.get(), SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(tls.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

  constexpr int kAsk = SSL_VERIFY_PEER, kInsist = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  ClientCheck check = reader
                          .one_of<ClientCheck>(map, "client_auth_type",
                                               {{"NoClientCert", {SSL_VERIFY_NONE, false}},
                                                {"RequestClientCert", {kAsk, false}},
                                                {"RequireAnyClientCert", {kInsist, false}},
                                                {"VerifyClientCertIfGiven", {kAsk, true}},
                                                {"RequireAndVerifyClientCert", {kInsist, true}}})
                          .value_or(ClientCheck{SSL_VERIFY_NONE, false});
  std::string authority = reader.file(map, "client_ca_file");
  if (check.verified != !authority.empty())
    throw reader.wrong(map,
                       "client_ca_file goes with client_auth_type VerifyClientCertIfGiven and "
                       "RequireAndVerifyClientCert, and they with it");
  if (!authority.empty()) {
    if (SSL_CTX_load_verify_file(tls.get(), authority.c_str()) != 1)
      throw reader.wrong(map["client_ca_file"], "cannot use client_ca_file '" + authority + "': " + openssl_error());
    SSL_CTX_set_client_CA_list(tls.get(), SSL_load_client_CA_file(authority.c_str()));
  }
  static constexpr unsigned char kSessions[] = "valkey-tenants";  // OpenSSL wants one with client certificates
  SSL_CTX_set_session_id_context(tls.get(), kSessions, sizeof kSessions - 1);
  auto any = [](int, X509_STORE_CTX*) { return 1; };
  SSL_CTX_set_verify(tls.get(), check.mode, check.mode == SSL_VERIFY_NONE || check.verified ? nullptr : +any);
  return tls;
}

}  // namespace

WebConfig read_web_config(const std::string& path) {
  Reader reader(path);
  try {
    YAML::Node root = YAML::LoadFile(path);
    WebConfig config;
    if (root.IsNull()) return config;
    reader.expect_keys(root, "the file", {"tls_server_config", "basic_auth_users", "http_server_config"});
    if (YAML::Node tls = root["tls_server_config"]; tls && !tls.IsNull()) config.tls = read_tls(reader, tls);
    config.headers_ignored = root["http_server_config"].IsDefined();
    YAML::Node users = root["basic_auth_users"];
    if (!users || users.IsNull()) return config;
    if (!users.IsMap()) throw reader.wrong(users, "basic_auth_users is not a map");
    for (const auto& entry : users) {
      const std::string& name = entry.first.Scalar();
      if (name.empty() || name.find(':') != std::string::npos)
        throw reader.wrong(entry.first, "a user's name is empty or has a ':', which basic authentication cannot send");
      if (!entry.second.IsScalar() || !is_bcrypt(entry.second.Scalar()))
        throw reader.wrong(entry.second, "the password of '" + name + "' is no bcrypt hash, as htpasswd -B makes it");
      if (!config.users.emplace(name, entry.second.Scalar()).second)
        throw reader.wrong(entry.first, "user '" + name + "' is there twice");
    }
    return config;
  } catch (const YAML::BadFile&) {
    throw Failure(Exit::kUsage, "cannot read '" + printable(path) + "', the file of --web.config.file");
  } catch (const YAML::Exception& wrong) {
    throw reader.wrong(wrong.mark, "this is no YAML: " + wrong.msg);
  }
}

}  // namespace tenants::tool
