#include "tool/snapshot/snapshot.h"

#include <algorithm>
#include <map>
#include <set>

#include "module/accounting/escape.h"
#include "module/accounting/number.h"
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

void Node::fail(const Failure& why) {
  *this = Node{.address = address,
               .id = id,
               .group = group,
               .cluster = cluster,
               .shard = shard,
               .slots = slots,
               .votes = votes,
               .answered = answered,
               .replication_id = replication_id,
               .failure = why};
}

std::uint64_t Node::status_number(std::string_view name) const {
  auto found = status.find(name);
  if (found == status.end()) return kAbsent;
  return number_in<std::uint64_t>(found->second).value_or(kAbsent);
}

std::optional<double> Node::sweep_progress() const {
  auto share = number_in<double>(status_text("sweep_progress"));
  return share && *share >= 0 && *share <= 1 ? share : std::nullopt;
}

std::string_view Node::status_text(std::string_view name) const {
  auto found = status.find(name);
  return found == status.end() ? std::string_view() : found->second;
}

std::vector<std::string> Snapshot::incomplete() const {
  std::vector<std::string> lines;
  std::set<std::string_view> spoken_for, with_reason;  // shards
  for (const Node& node : nodes) {
    if (node.data_source) spoken_for.insert(node.shard);
    if (node.up) continue;
    with_reason.insert(node.shard);
    std::string age;
    if (node.answered) {
      auto seconds = std::chrono::duration_cast<std::chrono::seconds>(taken - *node.answered).count();
      age = ", last answer " + std::to_string(seconds) + " s ago";
    }
    lines.push_back(printable(node.address) + ": " + node.failure.what() + age);
  }
  std::uint64_t slots = 0;
  for (const Node& node : nodes) {
    if (spoken_for.contains(node.shard) || with_reason.contains(node.shard)) continue;
    slots += node.slots;
    if (node.votes && !node.slots) lines.push_back("no primary answers for " + printable(node.shard));
  }
  if (slots) lines.push_back("no primary answers for " + std::to_string(slots) + " slots");
  return lines;
}

bool Snapshot::has_all_data(std::string_view group) const {
  std::set<std::string_view> spoken_for;  // shards, and replication ids
  for (const Node& node : nodes)
    if (node.group == group && node.up && node.role == Role::kPrimary && (node.data_source || !node.cluster))
      spoken_for.insert({node.shard, node.replication_id, node.previous_replication_id});
  return std::ranges::all_of(nodes, [&](const Node& node) {
    if (node.group != group) return true;
    if (node.cluster) {
      bool owns = node.slots || node.votes;
      return (node.up || !node.shard.empty()) && (!owns || spoken_for.contains(node.shard));
    }
    return node.up || (!node.replication_id.empty() && spoken_for.contains(node.replication_id));
  });
}

std::string Snapshot::keys_mode() const {
  constexpr std::string_view kModes[] = {"swept", "seeding", "exact"};
  for (std::string_view mode : kModes)
    for (const Node& node : nodes)
      if (node.data_source && node.status_text("keys_mode") == mode) return std::string(mode);
  return {};
}

std::string Snapshot::counting() const {
  std::size_t sources = 0, counting = 0;
  double least = 1;
  std::string stopped;
  for (const Node& node : nodes) {
    sources += node.data_source;
    std::string_view mode = node.status_text("keys_mode");
    bool is_first_pass = mode == "swept" && node.status_number("sweep_passes") == 0;
    if (!node.data_source || (mode != "seeding" && !is_first_pass)) continue;
    ++counting;
    std::string_view state = node.status_text("sweep_state");
    least = std::min(least, node.sweep_progress().value_or(0));
    if (state == "off") stopped = "off: tenants.sweep-cpu-percent is 0";
    if (state == "paused") stopped = "paused: " + printable(node.status_text("sweep_paused_by"));
  }
  if (!counting) return {};
  std::string text = "keys are being counted";
  if (sources > 1) text += " on " + std::to_string(counting) + " of " + std::to_string(sources) + " nodes";
  text += stopped.empty() ? " (" + std::to_string(static_cast<int>(least * 100)) + " %)" : " (" + stopped + ")";
  return text + ", their numbers are not exact yet";
}

std::size_t Snapshot::nodes_up() const {
  return static_cast<std::size_t>(std::ranges::count_if(nodes, [](const Node& node) { return node.up; }));
}

namespace {

// Of the primaries of one shard the one that most nodes call the owner of its slots.
void keep_one_of_each_shard(std::vector<Node>& nodes) {
  std::map<std::pair<std::size_t, std::string_view>, Node*> best;
  for (Node& node : nodes) {
    if (!node.data_source || !node.cluster || node.shard.empty()) continue;
    auto [known, is_new] = best.try_emplace({*node.cluster, node.shard}, &node);
    if (is_new) continue;
    Node *&first = known->second, *second = &node;
    if (second->votes > first->votes) std::swap(first, second);
    second->data_source = false;
  }
}

}  // namespace

void mark_data_sources(Snapshot& snapshot) {
  std::vector<Node>& nodes = snapshot.nodes;
  std::set<std::string_view> spoken_for;  // replication ids
  for (Node& node : nodes) {
    auto replaces = [&](const Node& other) {
      return other.up && other.role == Role::kPrimary && other.cluster == node.cluster && other.shard == node.shard &&
             other.previous_replication_id == node.replication_id;
    };
    bool primary = node.up && node.role == Role::kPrimary;
    node.data_source = primary && (!node.cluster || std::ranges::none_of(nodes, replaces));
    if (primary) spoken_for.insert({node.replication_id, node.previous_replication_id});
  }
  keep_one_of_each_shard(nodes);
  for (Node& node : nodes)
    if (node.up && !node.cluster && node.role == Role::kReplica)
      node.data_source = spoken_for.insert(node.replication_id).second;
}

const Node* source_of(const Snapshot& snapshot, const Node& replica) {
  if (!replica.up || replica.data_source) return nullptr;
  for (const Node& node : snapshot.nodes)
    if (node.data_source && node.role == Role::kPrimary && node.cluster == replica.cluster &&
        (replica.shard.empty() ? node.replication_id == replica.replication_id : node.shard == replica.shard))
      return &node;
  return nullptr;
}

Lag lag(const Node& source, const Node& replica) {
  Lag lag;
  if (source.replication_offset != kAbsent && replica.replication_offset != kAbsent)
    lag.bytes = source.replication_offset - std::min(source.replication_offset, replica.replication_offset);
  std::uint64_t there = source.status_number("keys"), here = replica.status_number("keys");
  if (there != kAbsent && here != kAbsent) lag.keys = static_cast<long long>(there) - static_cast<long long>(here);
  return lag;
}

}  // namespace tenants::tool
