#include "tool/client/topology.h"

#include <algorithm>

#include "module/accounting/number.h"
#include "tool/client/connection.h"
#include "tool/client/printable.h"

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

std::optional<Address> read_address(std::string host, std::string_view port) {
  Address address{std::move(host), number_in<int>(port).value_or(0), ""};
  bool valid = !address.host.empty() && address.port > 0 && address.port <= 65535;
  return valid ? std::optional(std::move(address)) : std::nullopt;
}

std::vector<ClusterNode> read_sentinel(const Reply& now, const Reply& primary, const Reply& replicas,
                                       const std::string& name) {
  if (now.is_error() && now.text.find("unknown command") != std::string_view::npos)
    throw Failure(Exit::kError, "the server is no Sentinel");
  check(now);
  if (now.elements.size() < 2) throw Failure(Exit::kError, "the Sentinel knows no primary named " + printable(name));
  check(primary);
  check(replicas);
  std::vector<ClusterNode> nodes;
  auto add = [&](std::string host, std::string_view port) {
    std::optional<Address> address = read_address(std::move(host), port);
    if (!address) return;
    ClusterNode node{.id = address->text(), .address = *address, .shard = name};
    if (std::ranges::find(nodes, node.id, &ClusterNode::id) == nodes.end()) nodes.push_back(std::move(node));
  };
  add(std::string(now.elements[0].text), now.elements[1].text);
  if (nodes.empty()) throw Failure(Exit::kError, "the Sentinel names no address of " + printable(name));
  add(primary.text_of("ip"), primary.text_of("port"));
  for (const Reply& replica : replicas.elements) add(replica.text_of("ip"), replica.text_of("port"));
  return nodes;
}

}  // namespace tenants::tool
