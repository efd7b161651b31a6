#include "tool/exporter/scraper.h"

#include <algorithm>
#include <utility>

#include "tool/exporter/log.h"

namespace tenants::tool {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRateWindow{8000}, kLongestWindow{120'000};
constexpr milliseconds kApart{4000};  // readings closer together replace each other: few are kept, they may be large

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
    : timeout_(timeout), wanted_(wanted), targets_(std::move(targets)) {}

void Scraper::use(std::vector<Target> targets) {
  std::lock_guard lock(mutex_);
  targets_ = std::move(targets);
  ++generation_;
}

std::shared_ptr<Reading> Scraper::read_over(Connections& connections, milliseconds most) {
  std::unique_lock lock(mutex_);
  SharedReading last = history_.empty() ? nullptr : history_.back();
  std::uint64_t generation = generation_;
  std::vector<Target> targets;
  if (connections.generation != generation) targets = targets_;
  lock.unlock();
  if (connections.generation != generation) {
    connections.finds_nodes = std::ranges::any_of(targets, &Target::leads_to_others);
    connections.fleet = std::make_unique<Fleet>(std::move(targets), timeout_);
    connections.generation = generation;
  }
  auto reading = std::make_shared<Reading>();
  reading->snapshot = connections.fleet->read(wanted_, std::min(timeout_, connections.finds_nodes ? most / 2 : most));
  tell_of_no_keys(reading->snapshot.nodes);
  log_changes(last ? &last->snapshot : nullptr, reading->snapshot);
  return reading;
}

void Scraper::keep(const std::shared_ptr<Reading>& reading) {
  reading->number = ++readings_;
  answered_ |= reading->snapshot.nodes_up() > 0;
  auto taken = reading->snapshot.taken;
  std::size_t size = history_.size();
  if (size > 1 && history_[size - 1]->snapshot.taken - history_[size - 2]->snapshot.taken < kApart) history_.pop_back();
  history_.push_back(reading);
  while (history_.size() > 2 && taken - history_[1]->snapshot.taken >= kRateWindow) history_.pop_front();
}

SharedReading Scraper::read(milliseconds most) {
  std::unique_lock lock(mutex_);
  if (running_) {
    std::uint64_t awaited = finished_ + 1;
    bool came = done_.wait_for(lock, std::min(most, 2 * timeout_), [&] { return finished_ >= awaited || !running_; });
    return came && finished_ >= awaited ? last_ : nullptr;
  }
  running_ = true;
  lock.unlock();
  std::shared_ptr<Reading> reading;
  try {
    reading = read_over(asked_, most);
  } catch (...) {
    lock.lock();
    running_ = false;
    done_.notify_all();
    throw;
  }
  lock.lock();
  running_ = false;
  keep(reading);
  last_ = reading;
  ++finished_;
  done_.notify_all();
  return reading;
}

SharedReading Scraper::read_in_background(milliseconds fresh) {
  std::unique_lock lock(mutex_);
  SharedReading newest = history_.empty() ? nullptr : history_.back();
  lock.unlock();
  if (newest && std::chrono::system_clock::now() - newest->snapshot.taken < fresh) return newest;
  std::shared_ptr<Reading> reading = read_over(background_, milliseconds::max());
  lock.lock();
  keep(reading);
  return reading;
}

SharedReading Scraper::before(const Reading& reading) const {
  std::lock_guard lock(mutex_);
  SharedReading found;
  for (const SharedReading& each : history_) {
    auto age = reading.snapshot.taken - each->snapshot.taken;
    if (each->number < reading.number && age < kLongestWindow && (age >= kRateWindow || !found)) found = each;
  }
  return found;
}

bool Scraper::has_answered() const {
  std::lock_guard lock(mutex_);
  return answered_;
}

}  // namespace tenants::tool
