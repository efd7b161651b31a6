#include "tool/exporter/passwords.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>

namespace tenants::tool {

namespace {

constexpr std::size_t kBcryptLength = 60, kCostAt = 4, kMostPassword = 1024;

bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool is_right(const std::string& password, const std::string& hash) {
  auto room = std::make_unique<crypt_data>();  // 32 KiB
  const char* made = crypt_r(password.c_str(), hash.c_str(), room.get());
  return made && equal(made, hash);
}

// OpenSSL's decoder passes over spaces and bits that mean nothing; here each password has one form.
std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 || text.size() > 4 * kMostPassword) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                             reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  auto padding = static_cast<std::size_t>(std::ranges::count(text.substr(text.size() - 2), '='));
  bytes.resize(static_cast<std::size_t>(size) - padding);
  std::string again(text.size() + 1, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(again.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<int>(bytes.size()));
  again.pop_back();
  return again == text ? std::optional(bytes) : std::nullopt;
}

}  // namespace

bool is_bcrypt(const std::string& hash) {
  bool form = hash.size() == kBcryptLength && hash[0] == '$' && hash[1] == '2' && hash[3] == '$' && hash[6] == '$' &&
              std::string_view("aby").find(hash[2]) != std::string_view::npos;
  return form && crypt_checksalt(hash.c_str()) == CRYPT_SALT_OK;
}

Passwords::Passwords(std::map<std::string, std::string> users) : users_(std::move(users)) {
  if (RAND_bytes(key_.data(), static_cast<int>(key_.size())) != 1) throw std::runtime_error("no random numbers");
  for (const auto& [name, hash] : users_)  // the dearest: no faster than anybody's
    if (nobody_.empty() || hash.compare(kCostAt, 2, nobody_, kCostAt, 2) > 0) nobody_ = hash;
}

Passwords::Digest Passwords::digest(std::string_view user, std::string_view password) const {
  std::string text = std::to_string(user.size()).append(":").append(user).append(password);
  Digest result;
  unsigned size = result.size();
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), result.data(), &size);
  return result;
}

bool Passwords::accept(std::string_view header) {
  constexpr std::string_view kScheme = "basic ";
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (!std::ranges::equal(header.substr(0, kScheme.size()), kScheme, {}, lower)) return false;
  std::optional<std::string> both = from_base64(header.substr(kScheme.size()));
  std::size_t colon = both ? both->find(':') : std::string::npos;
  // bcrypt ends at a NUL: what follows would be accepted whatever it is
  if (colon == std::string::npos || both->find('\0') != std::string::npos) return false;
  std::string user = both->substr(0, colon), password = both->substr(colon + 1);

  Digest seen = digest(user, password);
  {
    std::lock_guard lock(mutex_);
    auto known = right_.find(user);
    if (known != right_.end() && CRYPTO_memcmp(known->second.data(), seen.data(), seen.size()) == 0) return true;
  }
  auto found = users_.find(user);
  bool right = is_right(password, found == users_.end() ? nobody_ : found->second);
  if (!right || found == users_.end()) return false;
  std::lock_guard lock(mutex_);
  right_[user] = seen;
  return true;
}

}  // namespace tenants::tool
