// What `top` reads from the servers for one frame. For one thread at a time.
#pragma once

#include "tool/fleet/tenant.h"
#include "tool/views/top_table.h"

namespace tenants::tool {

// One tenant's page.
struct TopTenant {
  std::string name;         // bytes as they are
  std::string problem;      // why there are no details
  std::string key_problem;  // why no keys are named
  TenantDetails details;
  bool known = false;
};

class TopReader {
 public:
  explicit TopReader(Fleet& fleet) : fleet_(fleet) {}

  // Rates are of the time since the last call for the same table; before, what the servers remember. What the ACL does
  // not allow is a note; a server that does not answer a concern. `with_hits`: also the hit ratios of tenants, for
  // which the prefixes are read every ten seconds.
  TopRows read(Table table, bool with_hits);
  // Never throws because of a server.
  TopTenant read(const std::string& tenant);

 private:
  std::string read_recent_use();
  void read_prefixes();

  Fleet& fleet_;
  Table table_ = Table::kTenants;  // of before_
  std::optional<Snapshot> before_;
  Recent recent_;
  std::optional<Snapshot> prefixes_, evictions_;  // the last; how they grew
  double evictions_seconds_ = 0;
  Lookups lookups_;
  std::string prefixes_problem_;
  Deadline next_prefixes_{};
};

}  // namespace tenants::tool
