// The fleet, read when somebody asks. Who asks while a reading is under way gets that one: a thousand scrapes at once
// cost the servers as much as one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "tool/fleet/fleet.h"

namespace tenants::tool {

struct Reading {
  std::uint64_t number;  // 1, 2, 3 …
  Snapshot snapshot;     // each node once, also where two targets lead to it
};
using SharedReading = std::shared_ptr<const Reading>;

class Scraper {
 public:
  // `timeout` is the most that one node may take, and one seed of a cluster to name the nodes.
  Scraper(std::vector<Target> targets, std::chrono::milliseconds timeout, Wanted wanted);

  // Takes at most `most`. Null: the reading that is under way takes longer. From any thread.
  SharedReading read(std::chrono::milliseconds most = std::chrono::milliseconds::max());

  // An earlier reading to tell rates by: the newest that is two seconds older than `reading`, or else the oldest there
  // is; null where there is none older. From any thread.
  SharedReading before(const Reading& reading) const;

  // Has any node ever answered?
  bool has_answered() const;

 private:
  const bool finds_nodes_;  // of a cluster, which takes a time-out of its own
  const std::chrono::milliseconds timeout_;
  const Wanted wanted_;
  Fleet fleet_;

  mutable std::mutex mutex_;  // guards what follows; fleet_ belongs to who has set running_
  std::condition_variable done_;
  bool running_ = false, answered_ = false;
  std::uint64_t readings_ = 0;
  std::deque<SharedReading> history_;  // the oldest first
};

}  // namespace tenants::tool
