// The fleet, read when somebody asks. Who asks while a reading is under way gets that one: a thousand scrapes at once
// cost the servers as much as one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "tool/fleet/fleet.h"

namespace tenants::tool {

struct Reading {
  std::uint64_t number;  // 1, 2, 3 …
  Snapshot snapshot;
};
using SharedReading = std::shared_ptr<const Reading>;

class Scraper {
 public:
  // `timeout` is the most that one node may take, and one seed of a cluster to name the nodes.
  Scraper(std::vector<Target> targets, std::chrono::milliseconds timeout, Wanted wanted);

  // From the next reading on it is these. From any thread.
  void use(std::vector<Target> targets);

  // Takes at most `most`. Null: the reading that is under way takes longer. From any thread.
  SharedReading read(std::chrono::milliseconds most = std::chrono::milliseconds::max());

  // An earlier reading to tell rates by: the newest that is two seconds older than `reading`, or else the oldest there
  // is; null where there is none older. From any thread.
  SharedReading before(const Reading& reading) const;

  // Has any node ever answered?
  bool has_answered() const;

 private:
  const std::chrono::milliseconds timeout_;
  const Wanted wanted_;

  // These belong to who has set running_.
  std::unique_ptr<Fleet> fleet_;
  bool finds_nodes_ = false;  // of a cluster, which takes a time-out of its own

  mutable std::mutex mutex_;  // guards what follows
  std::optional<std::vector<Target>> next_targets_;
  std::condition_variable done_;
  bool running_ = false, answered_ = false;
  std::uint64_t readings_ = 0;
  std::deque<SharedReading> history_;  // the oldest first
};

}  // namespace tenants::tool
