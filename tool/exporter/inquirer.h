// What pages ask the servers beyond the readings that the metrics are made of, over connections of their own. Who asks
// while others do waits for at most a few of them.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tool/fleet/attention.h"
#include "tool/fleet/tenant.h"

namespace tenants::tool {

struct TenantAnswer {
  TenantDetails details;
  bool known = false;        // the details are there
  bool get_denied = false;   // the ACL of the exporter's user does not have TENANTS.GET
  bool keys_denied = false;  // TENANTS.BIGKEYS likewise
  std::string failure;       // why there are no details, if it is something else than that
  std::chrono::steady_clock::time_point at;
};

struct RecentAnswer {
  Recent recent;
  bool denied = false;  // TENANTS.TOP
  std::chrono::steady_clock::time_point at;
};

class Inquirer {
 public:
  // `keys`: also its largest keys.
  Inquirer(std::vector<Target> targets, std::chrono::milliseconds timeout, bool keys);

  // From the next one on it is these targets. From any thread.
  void use(std::vector<Target> targets);
  // What the ACL has forbidden is not asked for again until this: the servers count each refusal. From any thread.
  void ask_again();

  bool reads_keys() const { return keys_; }

  // Not older than a second. Null: too many ask. From any thread.
  std::shared_ptr<const TenantAnswer> tenant(const std::string& name);
  // What the servers remember of the last minutes, for attention(); otherwise the same.
  std::shared_ptr<const RecentAnswer> recent();

 private:
  std::shared_ptr<const TenantAnswer> ask_tenant(const std::string& name);
  std::shared_ptr<const RecentAnswer> ask_recent();
  template <typename Ask>
  auto in_turn(Ask ask) -> decltype(ask());

  const std::chrono::milliseconds timeout_;
  const bool keys_;

  std::mutex queue_mutex_;  // guards what follows
  std::size_t waiting_ = 0;
  std::vector<Target> targets_;
  bool changed_ = true;

  std::mutex mutex_;  // of who reads; guards what follows
  std::unique_ptr<Fleet> fleet_;
  std::deque<std::pair<std::string, std::shared_ptr<const TenantAnswer>>> answers_;  // the oldest first
  std::shared_ptr<const RecentAnswer> recent_;
  bool get_denied_ = false, keys_denied_ = false, top_denied_ = false;
};

}  // namespace tenants::tool
