#include "tool/snapshot/snapshot.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "module/accounting/escape.h"
#include "tool/client/printable.h"

namespace tenants::tool {

namespace {

constexpr const char* kKindNames[] = {"tenant",    "group",   "gone",    "user", "prefix", "key",      "pattern",
                                      "elsewhere", "unknown", "orphans", "none", "other",  "internal", "overhead"};

}  // namespace

const char* kind_name(Kind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

Kind kind_of(std::string_view name) {
  const auto* found = std::ranges::find(kKindNames, name);
  return found == std::end(kKindNames) ? Kind::kUnknown : static_cast<Kind>(found - std::begin(kKindNames));
}

std::string shown_name(const Row& row) { return is_own(row.kind) ? row.name : escape(row.name); }

std::string kind_suffix(Kind kind) {
  return is_apart(kind) ? std::string(" (") + kind_name(kind) + ")" : std::string();
}

std::string shown_title(const Row& row) { return shown_name(row) + kind_suffix(row.kind); }

std::string shown_owner(const Row& row) {
  return is_own(row.kind) || row.owner == "(orphans)" ? row.owner : escape(row.owner);
}

const char* role_name(Role role) {
  constexpr const char* kNames[] = {"unknown", "primary", "replica"};
  return kNames[static_cast<std::size_t>(role)];
}

void Node::fail(const Failure& why) { *this = Node{.address = address, .id = id, .cluster = cluster, .failure = why}; }

std::uint64_t Node::status_number(std::string_view name) const {
  auto found = status.find(name);
  if (found == status.end()) return kAbsent;
  const std::string& text = found->second;
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : kAbsent;
}

std::vector<std::string> Snapshot::incomplete() const {
  std::vector<std::string> lines;
  for (const Node& node : nodes)
    if (!node.up) lines.push_back(printable(node.address) + ": " + node.failure.what());
  return lines;
}

std::size_t Snapshot::nodes_up() const {
  return static_cast<std::size_t>(std::ranges::count_if(nodes, [](const Node& node) { return node.up; }));
}

void mark_data_sources(Snapshot& snapshot) {
  bool any_primary = false, any_down = false;
  for (const Node& node : snapshot.nodes) {
    any_down |= !node.up;
    any_primary |= node.up && node.role == Role::kPrimary;
  }
  std::set<std::string> spoken_for;  // replication ids
  for (Node& node : snapshot.nodes) {
    node.data_source = false;
    if (!node.up) continue;
    if (node.role == Role::kPrimary) {
      auto replaces = [&](const Node& other) {
        return other.up && other.role == Role::kPrimary && other.cluster == node.cluster &&
               other.previous_replication_id == node.replication_id;
      };
      node.data_source = !node.cluster || std::ranges::none_of(snapshot.nodes, replaces);
    } else if (!any_primary && !any_down) {
      node.data_source = spoken_for.insert(node.replication_id).second;
    }
  }
}

}  // namespace tenants::tool
