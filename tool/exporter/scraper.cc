#include "tool/exporter/scraper.h"

#include <algorithm>
#include <utility>

#include "tool/exporter/log.h"

namespace tenants::tool {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRateWindow{2000}, kApart{1000};  // readings closer together than kApart replace each other

// A prefix without keys: nothing of it is unknown, and so nothing of a sum that it is in.
void tell_of_no_keys(std::vector<Node>& nodes) {
  using namespace prefix_column;
  for (Node& node : nodes)
    for (Row& row : node.rows(Table::kPrefixes))
      if (row.values[kKeys] == 0)
        for (auto column : {kBytes, kBytesError, kKeysWithoutTtl})
          if (row.values[column] == kAbsent) row.values[column] = 0;
}

void log_changes(const Snapshot* before, const Snapshot& now) {
  for (const Node& node : now.nodes) {
    const Node* last = nullptr;
    if (before)
      for (const Node& each : before->nodes)
        if (each.address == node.address) last = &each;
    if (last && last->up == node.up) continue;
    if (node.up)
      log(Level::kInfo, "node is up", {{"node", node.address}, {"role", role_name(node.role)}});
    else
      log(Level::kWarning, "node is not up", {{"node", node.address}, {"reason", node.failure.what()}});
  }
}

}  // namespace

Scraper::Scraper(std::vector<Target> targets, milliseconds timeout, Wanted wanted)
    : timeout_(timeout), wanted_(wanted), next_targets_(std::move(targets)) {}

void Scraper::use(std::vector<Target> targets) {
  std::lock_guard lock(mutex_);
  next_targets_ = std::move(targets);
}

SharedReading Scraper::read(milliseconds most) {
  std::unique_lock lock(mutex_);
  if (running_) {
    std::uint64_t awaited = readings_ + 1;
    bool came = done_.wait_for(lock, std::min(most, 2 * timeout_), [&] { return readings_ >= awaited || !running_; });
    return came && readings_ >= awaited ? history_.back() : nullptr;
  }
  running_ = true;
  SharedReading last = history_.empty() ? nullptr : history_.back();
  std::optional<std::vector<Target>> targets = std::exchange(next_targets_, std::nullopt);
  lock.unlock();
  auto reading = std::make_shared<Reading>();
  try {
    if (targets) {
      finds_nodes_ = std::ranges::any_of(*targets, &Target::cluster);
      fleet_ = std::make_unique<Fleet>(std::move(*targets), timeout_);
    }
    reading->snapshot = fleet_->read(wanted_, std::min(timeout_, finds_nodes_ ? most / 2 : most));
    tell_of_no_keys(reading->snapshot.nodes);
    log_changes(last ? &last->snapshot : nullptr, reading->snapshot);
  } catch (...) {
    lock.lock();
    running_ = false;
    done_.notify_all();
    throw;
  }
  lock.lock();
  running_ = false;
  reading->number = ++readings_;
  answered_ |= reading->snapshot.nodes_up() > 0;
  auto taken = reading->snapshot.taken;
  if (history_.size() > 1 && taken - history_[history_.size() - 2]->snapshot.taken < kApart) history_.pop_back();
  history_.push_back(reading);
  while (history_.size() > 2 && taken - history_[1]->snapshot.taken >= kRateWindow) history_.pop_front();
  done_.notify_all();
  return reading;
}

SharedReading Scraper::before(const Reading& reading) const {
  std::lock_guard lock(mutex_);
  SharedReading found;
  for (const SharedReading& each : history_) {
    bool old = reading.snapshot.taken - each->snapshot.taken >= kRateWindow;
    if (each->number < reading.number && (old || !found)) found = each;
  }
  return found;
}

bool Scraper::has_answered() const {
  std::lock_guard lock(mutex_);
  return answered_;
}

}  // namespace tenants::tool
