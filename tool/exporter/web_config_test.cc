#include "tool/exporter/web_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tool/client/failure.h"

namespace tenants::tool {
namespace {

constexpr const char* kHash = "$2y$04$abcdefghijklmnopqrstuuFcQhiEt3VfHZn9aC0ZBVUMgJcwR8Ea.";

// Of this process only: others may run the same tests.
const std::string kPath = testing::TempDir() + "/web_config_test." + std::to_string(getpid()) + ".yml";

// What is wrong with this file; empty: nothing.
std::string complaint(const std::string& text) {
  std::ofstream(kPath) << text;
  try {
    read_web_config(kPath);
    return {};
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code, Exit::kUsage);
    return failure.what();
  }
}

TEST(WebConfig, an_empty_file_asks_for_nothing) {
  EXPECT_EQ(complaint(""), "");
  EXPECT_EQ(complaint("# nothing\n"), "");
  EXPECT_EQ(complaint("tls_server_config:\nbasic_auth_users:\n"), "");
}

TEST(WebConfig, what_is_wrong_is_told_with_its_line_and_key) {
  std::pair<const char*, const char*> wrong[] = {
      {"a: 1\n", ":1: unknown key 'a' in the file, allowed are tls_server_config, basic_auth_users"},
      {"\ntls_server_config: {cert: x}\n", ":2: unknown key 'cert' in tls_server_config"},
      {"tls_server_config: {cert_file: x}\n", "tls_server_config needs cert_file and key_file"},
      {"tls_server_config: {cert_file: none.crt, key_file: none.key}\n", "cannot use cert_file"},
      {"tls_server_config: {cert_file: [x], key_file: x}\n", "cert_file"},
      {"tls_server_config: {cert_file: x, cert_file: x}\n", "key 'cert_file' is there twice"},
      {"basic_auth_users: {'': x}\n", "a user's name is empty or has a ':'"},
      {"basic_auth_users: {'a:b': x}\n", "a user's name is empty or has a ':'"},
      {"basic_auth_users: {ops: secret}\n", ":1: the password of 'ops' is no bcrypt hash"},
      {"basic_auth_users: [ops]\n", "basic_auth_users is not a map"},
      {"basic_auth_users:\n  a:b: [\n", "this is no YAML"},
      {"- a\n", "the file is not a map"},
  };
  for (auto [text, why] : wrong) {
    EXPECT_NE(complaint(text).find(why), std::string::npos) << text << "\n" << complaint(text);
    EXPECT_EQ(complaint(text).find("secret"), std::string::npos) << "no secret in an error";
  }
}

TEST(WebConfig, users_are_read_with_their_hashes) {
  std::ofstream(kPath) << "basic_auth_users:\n  ops: " << kHash << "\nhttp_server_config:\n  http2: false\n";
  WebConfig config = read_web_config(kPath);
  EXPECT_EQ(config.users, (std::map<std::string, std::string>{{"ops", kHash}}));
  EXPECT_EQ(config.tls, nullptr);
  EXPECT_TRUE(config.headers_ignored);
}

TEST(WebConfig, a_file_that_is_not_there_is_an_error) { EXPECT_THROW(read_web_config("/nowhere/web.yml"), Failure); }

}  // namespace
}  // namespace tenants::tool
