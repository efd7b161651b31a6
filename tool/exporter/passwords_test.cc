#include "tool/exporter/passwords.h"

#include <crypt.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <ctime>

namespace tenants::tool {
namespace {

std::string bcrypt(const char* password, int cost = 4) {
  char salt[CRYPT_GENSALT_OUTPUT_SIZE];
  crypt_data room{};
  crypt_gensalt_rn("$2y$", static_cast<unsigned long>(cost), "0123456789abcdef", 16, salt, sizeof salt);
  return crypt_r(password, salt, &room);
}

std::string header(const std::string& text) {
  std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()), reinterpret_cast<const unsigned char*>(text.data()),
                  static_cast<int>(text.size()));
  encoded.pop_back();
  return "Basic " + encoded;
}

TEST(Passwords, the_right_password_is_accepted_again_and_again) {
  Passwords passwords({{"ops", bcrypt("secret")}, {"prometheus", bcrypt("other")}});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(passwords.accept(header("ops:secret")));
    EXPECT_TRUE(passwords.accept(header("prometheus:other")));
    EXPECT_FALSE(passwords.accept(header("ops:other"))) << "somebody else's";
  }
}

TEST(Passwords, anything_else_is_refused) {
  Passwords passwords({{"ops", bcrypt("secret")}});
  EXPECT_TRUE(passwords.accept(header("ops:secret")));
  for (std::string text : {"ops:Secret", "ops:secre", "ops:secrets", "ops:", "ops", ":secret", "o:pssecret", ""})
    EXPECT_FALSE(passwords.accept(header(text))) << text;
  EXPECT_FALSE(passwords.accept(header(std::string("ops:secret\0x", 12)))) << "bcrypt would end at the NUL";
  for (const char* text : {"", "Basic", "Basic ", "Basic !!!!", "Bearer b3BzOnNlY3JldA==", "Basic b3BzOnNlY3JldA",
                           "Basic b3BzOnNlY3JldB==", "Basic b3BzOnNlY3JldA==----"})
    EXPECT_FALSE(passwords.accept(text)) << text;
}

TEST(Passwords, a_hash_is_a_bcrypt_hash) {
  EXPECT_TRUE(is_bcrypt(bcrypt("x")));
  for (std::string text : {"", "secret", "$2y$10$", "$1$abc$def"}) EXPECT_FALSE(is_bcrypt(text)) << text;
  std::string other = bcrypt("x");
  other[1] = '6';
  EXPECT_FALSE(is_bcrypt(other));
}

// Of this thread: a busy machine must not decide.
double cpu_seconds() {
  timespec clock;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &clock);
  return static_cast<double>(clock.tv_sec) + static_cast<double>(clock.tv_nsec) * 1e-9;
}

TEST(Passwords, an_unknown_user_costs_as_much_time_as_a_wrong_password) {
  Passwords passwords({{"ops", bcrypt("secret", 10)}});
  auto seconds = [&](const std::string& text) {
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
      double begin = cpu_seconds();
      passwords.accept(header(text));
      best = std::min(best, cpu_seconds() - begin);
    }
    return best;
  };
  double wrong = seconds("ops:wrong"), unknown = seconds("nobody:wrong");
  EXPECT_GT(unknown, wrong / 2);
  EXPECT_LT(unknown, wrong * 2);
  EXPECT_GT(wrong, 0.01) << "a bcrypt of cost 10 takes longer than this";
}

}  // namespace
}  // namespace tenants::tool
