// All servers that the operator named, the nodes of the clusters among them, and those that Sentinels watch, read in
// parallel. For one thread at a time.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tool/client/connection.h"
#include "tool/snapshot/snapshot.h"

namespace tenants::tool {

struct Wanted {
  bool tenants = true, users = false, prefixes = false;
};
inline Wanted only(Table table) {
  return {.tenants = table == Table::kTenants, .users = table == Table::kUsers, .prefixes = table == Table::kPrefixes};
}

// What one node replied to Fleet::ask.
struct Answer {
  std::string node;                // its address
  Failure failure{Exit::kOk, ""};  // code kOk: none, and there is a reply to each command
  Replies replies;
  bool ok() const { return failure.code == Exit::kOk; }
};

class Fleet {
 public:
  // `timeout` is how long one node may take in one read(), all in all, and one seed of a cluster to name the nodes.
  Fleet(std::vector<Target> targets, std::chrono::milliseconds timeout);
  ~Fleet();

  // Reads every node, in one thread each; connections stay open for the next time. Takes as long as the slowest node,
  // at most the time-out: twice that where a cluster's nodes are yet to be found, or Sentinels are asked. Never throws
  // because of a server: its node says why it is not up. A cluster is asked for its nodes every time; one that is gone
  // or unreachable stays, not up, until the cluster forgets it. Where none of a cluster can be reached, the seed is the
  // node. Sentinels, all that are known, are asked every time, too, and the newest configuration is believed. A server
  // that several targets lead to is there once.
  Snapshot read(const Wanted& wanted);
  Snapshot read(const Wanted& wanted, std::chrono::milliseconds timeout);

  // The same commands to all nodes that the last read() found up, in parallel. Any reply may be an error.
  std::vector<Answer> ask(const std::vector<Command>& commands);

 private:
  struct Member;
  struct Group;
  std::vector<Member*> each_server_once();

  std::vector<std::unique_ptr<Group>> groups_;  // one per target
  std::chrono::milliseconds timeout_;
};

}  // namespace tenants::tool
