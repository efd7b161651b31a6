// The nodes of a cluster, as one of them names them; a primary and its replicas, as a Sentinel does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tool/client/reply.h"
#include "tool/client/target.h"

namespace tenants::tool {

struct ClusterNode {
  std::string id;
  Address address;
  std::string hostname;     // for the check of its certificate; may be empty
  std::string shard;        // the least id of those that hold the same slots: the name of them all
  std::uint32_t slots = 0;  // that it owns
  bool operator==(const ClusterNode&) const = default;
};

// From a reply to CLUSTER SHARDS (every server since 7.0 has it), sorted by address. `asked` stands in for the address
// of a node that does not know its own. With TLS the nodes' TLS ports, without the plain ones. Throws Failure: kDenied,
// or kError where the server is no cluster, or offers no such port.
std::vector<ClusterNode> read_shards(const Reply& reply, const Address& asked, bool tls);

// Nothing where this is none.
std::optional<Address> read_address(std::string host, std::string_view port);

// From replies to SENTINEL GET-MASTER-ADDR-BY-NAME (who is the primary now, while another one takes over, too), MASTER
// and REPLICAS: the primary first; ids are addresses, and `name` is the shard. Throws Failure: kDenied, or kError where
// the server is no Sentinel or knows no primary of this name.
std::vector<ClusterNode> read_sentinel(const Reply& now, const Reply& primary, const Reply& replicas,
                                       const std::string& name);

}  // namespace tenants::tool
