// The fleet, read when somebody asks, and in the background. Who asks while a reading is under way gets that one: a
// thousand scrapes at once cost the servers as much as one.
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

  // For who reads at intervals: what anybody has read within the last `fresh`, or else a reading over connections of
  // its own, so that no scrape ever waits for it. For one thread.
  SharedReading read_in_background(std::chrono::milliseconds fresh);

  // An earlier reading to tell rates by: the newest that is eight seconds older than `reading`, or else the oldest of
  // the last two minutes; null where there is none. From any thread.
  SharedReading before(const Reading& reading) const;

  // Has any node ever answered?
  bool has_answered() const;

 private:
  struct Connections {
    std::unique_ptr<Fleet> fleet;
    bool finds_nodes = false;      // which takes a time-out of its own
    std::uint64_t generation = 0;  // of the targets
  };
  std::shared_ptr<Reading> read_over(Connections& connections, std::chrono::milliseconds most);
  void keep(const std::shared_ptr<Reading>& reading);  // under mutex_

  const std::chrono::milliseconds timeout_;
  const Wanted wanted_;

  Connections asked_;  // belongs to who has set running_
  Connections background_;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<Target> targets_;
  std::uint64_t generation_ = 1;
  std::condition_variable done_;
  bool running_ = false, answered_ = false;
  std::uint64_t finished_ = 0, readings_ = 0;  // finished_: of those that somebody asked for
  SharedReading last_;                         // of those
  std::deque<SharedReading> history_;          // the oldest first
};

}  // namespace tenants::tool
