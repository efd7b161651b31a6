#include "tool/client/target.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tool/client/failure.h"

namespace tenants::tool {
namespace {

std::string refusal(auto&& action) {
  try {
    action();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code, Exit::kUsage);
    return failure.what();
  }
  return "";
}

TEST(Target, an_address_is_a_host_a_bracketed_ipv6_or_the_path_of_a_socket) {
  EXPECT_EQ(parse_address("db1"), (Address{"db1", 6379, ""}));
  EXPECT_EQ(parse_address("db1:7000"), (Address{"db1", 7000, ""}));
  EXPECT_EQ(parse_address("[::1]:7000"), (Address{"::1", 7000, ""}));
  EXPECT_EQ(parse_address("::1"), (Address{"::1", 6379, ""}));
  EXPECT_EQ(parse_address("/run/valkey.sock").socket, "/run/valkey.sock");
  EXPECT_EQ(parse_address("[::1]:7000").text(), "[::1]:7000");
  for (const char* wrong : {"[.]", "", ":7000", "db1:", "db1:0", "db1:65536", "db1:7x", "[::1", "[::1]7"})
    EXPECT_NE(refusal([&] { parse_address(wrong); }), "") << wrong;
}

TEST(Target, a_uri_names_the_server_the_user_and_whether_there_is_tls) {
  Target target;
  apply_uri("valkeys://ops%40site@db1:7000/3", target);
  EXPECT_EQ(target.address, (Address{"db1", 7000, ""}));
  EXPECT_EQ(target.login.user, "ops@site");
  EXPECT_TRUE(target.tls.enabled);
  Target plain;
  apply_uri("redis://[::1]", plain);
  EXPECT_EQ(plain.address, (Address{"::1", 6379, ""}));
  EXPECT_FALSE(plain.tls.enabled);
  Target socket;
  apply_uri("unix:///run/valkey%20one.sock", socket);
  EXPECT_EQ(socket.address.socket, "/run/valkey one.sock");
  for (const char* wrong : {"db1:7000", "http://db1", "valkey://db1/x", "unix://relative", "valkey://"})
    EXPECT_NE(refusal([&] { apply_uri(wrong, target); }), "") << wrong;
}

TEST(Target, a_password_in_a_uri_is_refused_and_not_repeated) {
  Target target;
  for (const char* uri : {"valkey://ops:hunter2@db1", "redis://:hunter2@db1:1/0", "unix://ops:hunter2@/run/x.sock"}) {
    std::string text = refusal([&] { apply_uri(uri, target); });
    EXPECT_NE(text.find("--password-file"), std::string::npos) << uri;
    EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
  }
}

// A file that goes with the test.
struct TemporaryFile {
  explicit TemporaryFile(const std::string& text) {
    int file = ::mkstemp(path.data());
    EXPECT_GE(file, 0);
    std::ofstream(path) << text;
    ::close(file);
  }
  ~TemporaryFile() { std::remove(path.c_str()); }
  std::string path = "/tmp/targets-XXXXXX";
};

TEST(Target, a_file_of_targets_says_all_that_the_options_can) {
  ::setenv("TARGETS_TEST_SECRET", "hunter2", 1);
  TemporaryFile file(
      "targets:\n"
      "- address: 10.0.0.1:7000\n"
      "  cluster: true\n"
      "  addresses: {172.17.0.2: 192.168.1.9, '172.17.0.3:7001': 'gate:7003', '[fd00::2]:7002': '[::1]:9'}\n"
      "  user: ops\n"
      "  password_env: TARGETS_TEST_SECRET\n"
      "  tls: {ca: /ca.pem, cert: /c.pem, key: /k.pem, server_name: db}\n"
      "- address: /run/valkey.sock\n"
      "  password_file: /run/secret\n"
      "- address: 10.0.0.7:26379\n"
      "  sentinel: shop\n"
      "  sentinel_password_file: /run/sentinel\n");
  std::vector<Target> targets = read_targets(file.path);
  ASSERT_EQ(targets.size(), 3u);
  EXPECT_EQ(targets[0].address, (Address{"10.0.0.1", 7000, ""}));
  EXPECT_TRUE(targets[0].cluster);
  EXPECT_EQ(targets[0].login.user, "ops");
  EXPECT_EQ(targets[0].login.secret(), "hunter2");
  EXPECT_TRUE(targets[0].tls.enabled);
  EXPECT_EQ(targets[0].tls.server_name, "db");
  EXPECT_EQ(targets[0].reached({"172.17.0.2", 7000, ""}), (Address{"192.168.1.9", 7000, ""}));
  EXPECT_EQ(targets[0].reached({"172.17.0.3", 7001, ""}), (Address{"gate", 7003, ""}));
  EXPECT_EQ(targets[0].reached({"172.17.0.3", 7002, ""}), (Address{"172.17.0.3", 7002, ""}));
  EXPECT_EQ(targets[0].reached({"fd00::2", 7002, ""}), (Address{"::1", 9, ""}));
  EXPECT_FALSE(targets[1].tls.enabled);
  EXPECT_EQ(targets[1].login.password_file, "/run/secret");
  EXPECT_FALSE(targets[1].leads_to_others());
  EXPECT_EQ(targets[2].sentinel, "shop");
  EXPECT_EQ(targets[2].sentinel_login.password_file, "/run/sentinel");
  EXPECT_EQ(targets[2].login.password_file, "");
}

TEST(Target, what_is_wrong_in_a_file_of_targets_is_told_with_its_line_and_key) {
  const std::pair<const char*, const char*> wrong[] = {
      {"targets:\n- address: db1\n  pasword_file: x\n", ":3: unknown key 'pasword_file'"},
      {"targets:\n- address: db1\n  tls:\n    cacert: x\n", ":4: unknown key 'cacert' in tls"},
      {"target:\n- address: db1\n", ":1: unknown key 'target'"},
      {"targets:\n- user: x\n", ":2: a target needs an address"},
      {"targets:\n- address: db1:99999\n", ":2: invalid port"},
      {"targets:\n- address: db1\n  cluster: maybe\n", ":3: 'cluster' must be true or false"},
      {"targets:\n- address: db1\n  cluster: true\n  sentinel: shop\n", ":2: cluster and sentinel exclude each other"},
      {"targets:\n- address: db1\n  sentinel_user: x\n", ":2: a login towards Sentinels needs 'sentinel'"},
      {"targets:\n- address: db1\n  cluster: true\n  addresses:\n    db1:7000: gate\n",
       ":5: 'addresses' has host:port"},
      {"targets:\n- address: db1\n  cluster: true\n  addresses:\n    db1: gate:99999\n", ":5: invalid port"},
      {"targets:\n- address: db1\n  cluster: true\n  addresses: gate\n", ":4: 'addresses' must be a map"},
      {"targets:\n- address: db1\n  addresses: {a: b}\n", ":2: addresses are those of a cluster"},
      {"targets:\n- address: db1\n  user:\n", ":3: 'user' has no value"},
      {"targets:\n- address: db1\n  address: db2\n", ":3: 'address' is there twice"},
      {"targets:\n- address: db1\n  password_env: TARGETS_TEST_ABSENT\n", ":3: the environment has no"},
      {"targets: []\n", ":1: 'targets' must be a list"},
      {"targets: [\n", ":"},
      {"", "must be a map"},
  };
  for (const auto& [text, message] : wrong) {
    TemporaryFile file(text);
    std::string told = refusal([&] { read_targets(file.path); });
    EXPECT_NE(told.find(message), std::string::npos) << text << " gave: " << told;
  }
  EXPECT_NE(refusal([] { read_targets("/nonexistent"); }).find("cannot read"), std::string::npos);
}

}  // namespace
}  // namespace tenants::tool
