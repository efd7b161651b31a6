// The file of --web.config.file: taken, with users who can log in, or refused with one printable line that holds
// nobody's hash.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/input.h"
#include "tool/client/failure.h"
#include "tool/exporter/passwords.h"
#include "tool/exporter/web_config.h"

using namespace tenants;
using namespace tenants::tool;

namespace {

// A folder with a certificate "c", which is also an authority, its key "k", and the file "f", until the end of the run.
struct Folder {
  std::string path = std::filesystem::temp_directory_path() / "fuzz_web_config_XXXXXX";

  Folder() {
    require(mkdtemp(path.data()));
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    require(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE* file = fopen((path + "/c").c_str(), "w");
    require(file && PEM_write_X509(file, certificate) == 1 && fclose(file) == 0);
    file = fopen((path + "/k").c_str(), "w");
    require(file && PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1 && fclose(file) == 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  std::string text(reinterpret_cast<const char*>(data), size), path = folder.path + "/f";
  if (text.find('/') != std::string::npos) return 0;  // it may name any file, and some are endless
  std::ofstream(path) << text;
  try {
    WebConfig config = read_web_config(path);
    for (const auto& [name, hash] : config.users)
      require(!name.empty() && name.find(':') == std::string::npos && is_bcrypt(hash));
    Passwords(std::move(config.users));
  } catch (const Failure& failure) {
    std::string_view what = failure.what();
    require(std::ranges::all_of(what, [](char c) { return c >= ' ' && c <= '~'; }));
  }
  return 0;
}
