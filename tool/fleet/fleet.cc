#include "tool/fleet/fleet.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <system_error>
#include <thread>

#include "module/accounting/number.h"
#include "tool/client/topology.h"
#include "tool/fleet/reading.h"

namespace tenants::tool {

using std::chrono::duration;

// One server and the connection to it.
struct Fleet::Member {
  Member(Target target, std::string id) : id(std::move(id)), connection(std::move(target)) {}

  std::string id;
  Connection connection;
  bool up = false;  // in the last read(), and not the same server as another one that is
  // When it was up last, and what it copied then.
  std::optional<std::chrono::system_clock::time_point> answered;
  std::string replication_id;
  // Of the read() that runs:
  Node node;
  bool asked = false;  // who is in the cluster
  std::vector<ClusterNode> shards;
  bool has_been_read = false;
};

// What one target led to: one server, the nodes of a cluster, or those that Sentinels watch.
struct Fleet::Group {
  Group(Target target, std::size_t number) : target(std::move(target)), number(number), seed(this->target, "") {}

  Target target;
  std::size_t number;
  Member seed;  // of a cluster: asked while none of the nodes can be, which may be known by now under other addresses
  std::vector<std::unique_ptr<Member>> members;        // of a cluster, or of Sentinels
  std::vector<std::unique_ptr<Connection>> sentinels;  // all that are known, the target's own first
  struct Place {
    std::string shard;
    std::uint32_t slots = 0, votes = 0;
  };
  std::map<std::string, Place> places;  // by id, as the cluster last said

  std::vector<Member*> nodes() {
    std::vector<Member*> all;
    for (const auto& member : members) all.push_back(member.get());
    if (all.empty()) all.push_back(&seed);
    return all;
  }
  void follow(const std::vector<ClusterNode>& nodes);
  void place(const std::vector<const std::vector<ClusterNode>*>& views, const std::vector<ClusterNode>& chosen);
  void tell_place(Node& node) const;
  void ask_sentinels(Deadline deadline);
};

// Keeps the connections of the nodes that stay.
void Fleet::Group::follow(const std::vector<ClusterNode>& nodes) {
  std::vector<std::unique_ptr<Member>> next;
  for (const ClusterNode& node : nodes) {
    auto same = std::ranges::find_if(members, [&](const auto& member) {
      return member && member->id == node.id && member->connection.target().address == node.address;
    });
    if (same != members.end()) {
      next.push_back(std::move(*same));
      continue;
    }
    Target to = target;
    to.address = node.address;
    if (to.tls.server_name.empty()) to.tls.server_name = node.hostname;
    next.push_back(std::make_unique<Member>(std::move(to), node.id));
  }
  members = std::move(next);
}

// What the nodes say of who owns slots.
void Fleet::Group::place(const std::vector<const std::vector<ClusterNode>*>& views,
                         const std::vector<ClusterNode>& chosen) {
  places.clear();
  for (const ClusterNode& node : chosen) places[node.id] = {node.shard, node.slots, 0};
  for (const auto* view : views)
    for (const ClusterNode& node : *view)
      if (auto known = places.find(node.id); known != places.end() && node.slots) ++known->second.votes;
}

void Fleet::Group::tell_place(Node& node) const {
  auto known = places.find(node.id);
  if (known == places.end()) return;
  node.shard = known->second.shard;
  node.slots = known->second.slots;
  node.votes = known->second.votes;
}

namespace {

constexpr std::size_t kMostSentinels = 16;
constexpr std::size_t kMostAsked = 16;  // nodes of one cluster, who is in it: the reply has a line for each node

constexpr std::size_t kMostThreads = 256;

// Where the system lets us have fewer threads, those there are do the work.
template <typename Work>
void in_parallel(std::size_t count, Work work) {
  std::atomic<std::size_t> next{0};
  auto take = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> threads;
  try {
    while (threads.size() + 1 < std::min(count, kMostThreads)) threads.emplace_back(take);
  } catch (const std::system_error&) {
  }
  take();
}

// The nodes that most of those agree on who were asked: a node that was taken out of the cluster knows only itself.
std::vector<ClusterNode> majority(const std::vector<const std::vector<ClusterNode>*>& views) {
  std::map<std::string, std::pair<std::size_t, const std::vector<ClusterNode>*>> votes;
  const std::vector<ClusterNode>* best = nullptr;
  std::size_t most = 0;
  for (const auto* view : views) {
    std::string text;
    for (const ClusterNode& node : *view) text.append(node.id).append(" ").append(node.address.text()).append("\n");
    auto& [count, first] = votes.try_emplace(text, 0, view).first->second;
    if (++count > most) most = count, best = first;
  }
  return best ? *best : std::vector<ClusterNode>();
}

// What one Sentinel says.
struct Watched {
  std::uint64_t epoch = 0;  // of the configuration: the larger is the newer
  std::vector<ClusterNode> nodes;
  std::vector<Address> others;  // Sentinels
};

Watched ask_sentinel(Connection& connection, const Target& target, Deadline deadline) {
  const std::string& name = target.sentinel;
  Replies replies = connection.ask({{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", name},
                                    {"SENTINEL", "MASTER", name},
                                    {"SENTINEL", "REPLICAS", name},
                                    {"SENTINEL", "SENTINELS", name}},
                                   deadline);
  Watched watched{.nodes = read_sentinel(replies[0], replies[1], replies[2], name), .others = {}};
  watched.epoch = number_in<std::uint64_t>(replies[1].text_of("config-epoch")).value_or(0);
  for (const Reply& other : replies[3].elements)
    if (auto address = read_address(other.text_of("ip"), other.text_of("port")))
      watched.others.push_back(target.reached(*address));
  for (ClusterNode& node : watched.nodes) node.address = target.reached(node.address);
  return watched;
}

}  // namespace

// All that are known, at once; who has the newest configuration is believed. Where none answers, what was known stays.
void Fleet::Group::ask_sentinels(Deadline deadline) {
  auto known = [this](const Address& address) {
    return std::ranges::any_of(sentinels, [&](const auto& one) { return one->target().address == address; });
  };
  auto add = [this, &known](const Address& address) {
    if (sentinels.size() >= kMostSentinels || known(address)) return;
    Target to = target;
    to.address = address;
    to.login = target.sentinel_login;
    sentinels.push_back(std::make_unique<Connection>(std::move(to)));
  };
  add(target.address);
  std::vector<std::optional<Watched>> said(sentinels.size());
  std::vector<std::optional<Failure>> failures(sentinels.size());
  in_parallel(sentinels.size(), [&](std::size_t i) {
    try {
      said[i] = ask_sentinel(*sentinels[i], target, deadline);
    } catch (const Failure& failure) {
      failures[i] = failure;
    } catch (const std::exception& error) {
      failures[i] = Failure(Exit::kError, error.what());
    }
  });
  const Watched* newest = nullptr;
  for (const auto& one : said)
    if (one && (!newest || one->epoch > newest->epoch)) newest = &*one;
  if (!newest) {
    seed.node = Node();
    seed.node.address = target.address.text();
    seed.node.group = target.name;
    seed.node.cluster = number;
    seed.node.fail(*failures[0]);
    return;
  }
  places.clear();
  for (const ClusterNode& node : newest->nodes) places[node.id] = {target.sentinel, 0, 0};
  places[newest->nodes[0].id].votes = 1;
  follow(newest->nodes);
  for (const Address& other : newest->others) add(other);
}

Fleet::Fleet(std::vector<Target> targets, std::chrono::milliseconds timeout) : timeout_(timeout) {
  for (std::size_t i = 0; i < targets.size(); ++i) groups_.push_back(std::make_unique<Group>(std::move(targets[i]), i));
}

Fleet::~Fleet() = default;

Snapshot Fleet::read(const Wanted& wanted) { return read(wanted, timeout_); }

Snapshot Fleet::read(const Wanted& wanted, std::chrono::milliseconds timeout) {
  Deadline began = Clock::now();
  Snapshot snapshot;
  snapshot.taken = std::chrono::system_clock::now();

  constexpr Wanted kNothing{.tenants = false};  // but who is in the cluster

  auto read_member = [&](Group& group, Member& member, const Wanted& tables) {
    Deadline start = Clock::now();
    member.node = Node();
    member.node.address = member.connection.target().address.text();
    member.node.id = member.id.empty() ? member.node.address : member.id;
    member.node.group = group.target.name;
    if (group.target.leads_to_others()) member.node.cluster = group.number;
    member.node.answered = member.answered;
    member.shards.clear();
    try {
      read_node(member.connection, tables, start + timeout, member.node, member.asked ? &member.shards : nullptr);
      for (ClusterNode& node : member.shards) node.address = group.target.reached(node.address);
    } catch (const Failure& failure) {
      member.node.fail(failure);
    } catch (const std::exception& error) {  // no memory, say: nothing may leave a thread
      member.node.fail(Failure(Exit::kError, error.what()));
    }
    member.node.at = Clock::now();
    member.node.seconds = duration<double>(member.node.at - start).count();
    member.has_been_read = true;
    member.up = member.node.up;
    if (member.up) {
      member.node.answered = member.answered = snapshot.taken;
      member.replication_id = member.node.replication_id;
    } else {
      member.node.replication_id = member.replication_id;
    }
  };
  auto read_all = [&](const std::vector<std::pair<Group*, Member*>>& all) {
    in_parallel(all.size(), [&](std::size_t i) {
      auto [group, member] = all[i];
      read_member(*group, *member, group->target.cluster && member == &group->seed ? kNothing : wanted);
    });
  };

  std::vector<Group*> watched;
  for (const auto& group : groups_)
    if (!group->target.sentinel.empty()) watched.push_back(group.get());
  in_parallel(watched.size(), [&](std::size_t i) { watched[i]->ask_sentinels(began + timeout); });

  // First those that are known; then those that these know of.
  std::vector<std::pair<Group*, Member*>> known;
  for (const auto& group : groups_) {
    if (!group->target.sentinel.empty() && group->members.empty()) continue;  // the seed is no Valkey
    std::vector<Member*> nodes = group->nodes();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      nodes[i]->asked = group->target.cluster && i % (nodes.size() / kMostAsked + 1) == 0;
      nodes[i]->has_been_read = false;
      known.emplace_back(group.get(), nodes[i]);
    }
  }
  read_all(known);

  in_parallel(groups_.size(), [&](std::size_t i) {
    Group& group = *groups_[i];
    if (!group.target.cluster) return;
    std::vector<const std::vector<ClusterNode>*> views;
    for (Member* member : group.nodes())
      if (!member->shards.empty()) views.push_back(&member->shards);
    if (views.empty() && !group.members.empty()) {  // all of them gone, or moved
      group.seed.asked = true;
      read_member(group, group.seed, kNothing);
      if (!group.seed.shards.empty()) views.push_back(&group.seed.shards);
    }
    if (views.empty()) return;
    std::vector<ClusterNode> chosen = majority(views);
    group.place(views, chosen);
    group.follow(chosen);
  });

  std::vector<std::pair<Group*, Member*>> found;
  for (const auto& group : groups_)
    for (const auto& member : group->members)
      if (!member->has_been_read) found.emplace_back(group.get(), member.get());
  read_all(found);

  for (const auto& group : groups_)
    for (Member* member : group->nodes()) group->tell_place(member->node);
  for (Member* member : each_server_once()) snapshot.nodes.push_back(std::move(member->node));
  mark_data_sources(snapshot);
  snapshot.seconds = duration<double>(Clock::now() - began).count();
  return snapshot;
}

// Two targets may lead to one server, under different names even: its numbers must count once. What a cluster knows of
// it comes before what a target alone does.
std::vector<Fleet::Member*> Fleet::each_server_once() {
  std::vector<Member*> all, once;
  for (const auto& group : groups_)
    for (Member* member : group->nodes()) all.push_back(member);
  std::set<std::string> known;
  auto is_new = [&](const Member& member) {
    bool is_new = true;
    if (member.node.up) is_new = known.insert("run " + member.node.run_id).second;
    for (const std::string& name : {"id " + member.node.id, "at " + member.node.address})
      if (!known.insert(name).second && !member.node.up) is_new = false;
    return is_new;
  };
  std::set<const Member*> kept;
  for (bool up : {true, false})
    for (bool cluster : {true, false})
      for (Member* member : all)
        if (member->node.up == up && member->node.cluster.has_value() == cluster && is_new(*member))
          kept.insert(member);
  for (Member* member : all)
    if (kept.contains(member))
      once.push_back(member);
    else
      member->up = false;
  return once;
}

std::vector<Answer> Fleet::ask(const std::vector<Command>& commands) {
  std::vector<Member*> up;
  for (const auto& group : groups_)
    for (Member* member : group->nodes())
      if (member->up) up.push_back(member);
  std::vector<Answer> answers(up.size());
  in_parallel(up.size(), [&](std::size_t i) {
    answers[i].node = up[i]->connection.target().address.text();
    try {
      answers[i].replies = up[i]->connection.ask(commands, Clock::now() + timeout_);
    } catch (const Failure& failure) {
      answers[i].failure = failure;
    }
  });
  return answers;
}

}  // namespace tenants::tool
