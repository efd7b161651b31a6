// Basic authentication against bcrypt hashes.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace tenants::tool {

// Is this a bcrypt hash ($2a$, $2b$ or $2y$, cost 4 to 31) that crypt(3) here can check?
bool is_bcrypt(const std::string& hash);

class Passwords {
 public:
  // Name and bcrypt hash of each user.
  explicit Passwords(std::map<std::string, std::string> users);

  // `header` is that of Authorization. One bcrypt, tens of milliseconds, for the first right password of a user, for
  // every wrong one, and for an unknown user likewise, so that the time tells nobody which names there are. A password
  // that was right before costs a microsecond. From any thread.
  bool accept(std::string_view header);

 private:
  using Digest = std::array<unsigned char, 32>;
  Digest digest(std::string_view user, std::string_view password) const;

  const std::map<std::string, std::string> users_;
  std::string nobody_;  // the hash that an unknown user's password is held against
  Digest key_;          // of this process
  std::mutex mutex_;
  std::map<std::string, Digest, std::less<>> right_;  // of those that were right, at most one per user
};

}  // namespace tenants::tool
