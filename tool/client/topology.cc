#include "tool/client/topology.h"

#include <algorithm>

#include "tool/client/connection.h"

namespace tenants::tool {

namespace {

// Of pairs, each the first and the last of a range.
std::uint32_t slots_of(const Reply* ranges) {
  std::uint32_t slots = 0;
  for (std::size_t i = 0; ranges && i + 1 < ranges->elements.size(); i += 2)
    slots += static_cast<std::uint32_t>(ranges->elements[i + 1].integer - ranges->elements[i].integer + 1);
  return slots;
}

}  // namespace

std::vector<ClusterNode> read_shards(const Reply& reply, const Address& asked, bool tls) {
  if (reply.is_error() && reply.text.find("cluster support disabled") != std::string_view::npos)
    throw Failure(Exit::kError, "the server is not part of a cluster; leave out --cluster");
  check(reply);
  std::vector<ClusterNode> nodes;
  std::size_t without_port = 0;
  for (const Reply& shard : reply.elements) {
    const Reply* members = shard.find("nodes");
    if (!members) continue;
    std::string name;
    for (const Reply& member : members->elements)
      if (std::string id = member.text_of("id"); name.empty() || id < name) name = std::move(id);
    for (const Reply& member : members->elements) {
      ClusterNode node{
          .id = member.text_of("id"), .address = {}, .hostname = member.text_of("hostname"), .shard = name};
      if (member.text_of("role") == "master") node.slots = slots_of(shard.find("slots"));
      const Reply* port = member.find(tls ? "tls-port" : "port");
      // "endpoint" is what the server wants clients to use: an IP, a name, "?" for a name it does not know, or nothing.
      std::string host = member.text_of("endpoint");
      if (host.empty() || host == "?") host = member.text_of("ip");
      node.address.host = host.empty() ? asked.host : host;
      node.address.port = port ? static_cast<int>(port->integer) : 0;
      if (node.id.empty() || node.address.port <= 0 || node.address.port > 65535) {
        ++without_port;
        continue;
      }
      nodes.push_back(std::move(node));
    }
  }
  if (nodes.empty())
    throw Failure(Exit::kError, without_port ? tls ? "the cluster's nodes name no TLS port; leave out --tls"
                                                   : "the cluster's nodes name no plain port; use --tls"
                                             : "the server names no nodes of its cluster");
  std::ranges::sort(nodes, {}, [](const ClusterNode& node) { return std::pair(node.address.host, node.address.port); });
  return nodes;
}

}  // namespace tenants::tool
