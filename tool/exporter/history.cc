#include "tool/exporter/history.h"

#include <algorithm>
#include <limits>
#include <map>

#include "tool/snapshot/sum.h"

namespace tenants::tool {

namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr double kHeavier = 2;  // than one that is remembered: so much does it take to be remembered instead

float gauge(std::uint64_t value) { return value == kAbsent ? kUnknown : static_cast<float>(value); }

float rate(std::uint64_t grown, double seconds, double unit = 1) {
  return grown == kAbsent || seconds <= 0 ? kUnknown : static_cast<float>(static_cast<double>(grown) / unit / seconds);
}

std::array<float, History::kMetrics> numbers(const Values& now, const Values& grown, double seconds) {
  using namespace tenant_column;
  std::uint64_t refused = 0;  // what a server cannot tell of these is not counted
  for (auto column : {kErrors, kDenied, kRejected})
    if (grown[column] != kAbsent) refused += grown[column];
  return {gauge(now[kBytes]),
          gauge(now[kKeys]),
          gauge(now[kConnections]),
          rate(grown[kCommands], seconds),
          rate(grown[kCpuUsec], seconds, 1e4),
          rate(grown[kBytesIn], seconds),
          rate(grown[kBytesOut], seconds),
          rate(refused, seconds)};
}

double share(float part, float whole) { return whole > 0 && part > 0 ? static_cast<double>(part / whole) : 0; }

Snapshot without_prefixes(const Snapshot& snapshot) {
  Snapshot copy{.seconds = snapshot.seconds, .taken = snapshot.taken};
  for (const Node& node : snapshot.nodes) {
    Node& bare = copy.nodes.emplace_back();
    bare.address = node.address, bare.id = node.id, bare.up = node.up, bare.at = node.at;
    bare.data_source = node.data_source, bare.status = node.status;
    bare.rows(Table::kTenants) = node.rows(Table::kTenants);
  }
  return copy;
}

}  // namespace

History::Track::Track() {
  for (auto& values : this->values) values.fill(kUnknown);
}

std::vector<History::Tenant> History::compute(const SharedReading& reading, Numbers& total_numbers) const {
  const Snapshot& now = reading->snapshot;
  Sum sum = tool::sum(now, Table::kTenants), grown;
  double seconds = 0;
  if (last_) {
    seconds = seconds_between(last_->snapshot, now);
    grown = tool::sum(growth(last_->snapshot, without_prefixes(now)), Table::kTenants);  // the same rows in this order
  }
  total_numbers = numbers(sum.total.values, last_ ? grown.total.values : kNothingKnown, seconds);
  std::vector<Tenant> tenants;
  for (std::size_t i = 0; i < sum.rows.size(); ++i) {
    Row& row = sum.rows[i];
    if (is_own(row.kind)) continue;
    Numbers own = numbers(row.values, last_ ? grown.rows[i].values : kNothingKnown, seconds);
    double weight = 0;
    for (Metric metric : {kMemory, kCommands, kCpu}) weight += share(own[metric], total_numbers[metric]);
    tenants.push_back({std::move(row.name), own, weight});
  }
  return tenants;
}

// Who is remembered stays, unless it is gone or somebody else weighs much more: a trend needs its past.
void History::choose(const std::vector<Tenant>& tenants) {
  for (auto& [name, track] : tenants_) track.weight = -1;
  std::vector<const Tenant*> others;
  for (const Tenant& tenant : tenants) {
    auto found = tenants_.find(tenant.name);
    if (found == tenants_.end())
      others.push_back(&tenant);
    else
      found->second.weight = tenant.weight;
  }
  std::erase_if(tenants_, [](const auto& each) {
    const auto& memory = each.second.values[kMemory];  // it goes when nothing is left to draw
    return each.second.weight < 0 && std::ranges::none_of(memory, [](float value) { return value == value; });
  });
  std::multimap<double, std::string> remembered;  // the lightest first
  for (const auto& [name, track] : tenants_) remembered.emplace(track.weight, name);
  std::ranges::stable_sort(others, std::ranges::greater(), &Tenant::weight);
  for (const Tenant* other : others) {
    if (tenants_.size() >= kMostTenants) {
      auto lightest = remembered.begin();
      if (lightest == remembered.end() || other->weight <= kHeavier * lightest->first) break;
      tenants_.erase(lightest->second);
      remembered.erase(lightest);
    }
    tenants_[other->name].weight = other->weight;
  }
}

void History::add(const SharedReading& reading) {
  Numbers total;
  total.fill(kUnknown);
  std::vector<Tenant> tenants;
  if (reading && reading->snapshot.nodes_up()) tenants = compute(reading, total);
  auto now = reading ? reading->snapshot.taken : std::chrono::system_clock::now();
  {
    std::lock_guard lock(mutex_);
    times_[next_] = std::chrono::duration<double>(now.time_since_epoch()).count();
    for (std::size_t metric = 0; metric < kMetrics; ++metric) {
      all_.values[metric][next_] = total[metric];
      for (auto& [name, track] : tenants_) track.values[metric][next_] = kUnknown;
    }
    if (!tenants.empty()) choose(tenants);
    for (const Tenant& tenant : tenants) {
      auto found = tenants_.find(tenant.name);
      if (found == tenants_.end()) continue;
      for (std::size_t metric = 0; metric < kMetrics; ++metric)
        found->second.values[metric][next_] = tenant.numbers[metric];
    }
    next_ = (next_ + 1) % kSlots;
    filled_ = std::min(filled_ + 1, kSlots);
  }
  if (reading) last_ = reading;
}

History::Series History::read(const Track& track, Metric metric) const {
  Series series(filled_);
  for (std::size_t i = 0; i < filled_; ++i) series[i] = track.values[metric][(next_ + kSlots - filled_ + i) % kSlots];
  return series;
}

History::Series History::of_all(Metric metric) const {
  std::lock_guard lock(mutex_);
  return read(all_, metric);
}

History::Series History::of(const std::string& tenant, Metric metric) const {
  std::lock_guard lock(mutex_);
  auto found = tenants_.find(tenant);
  return found == tenants_.end() ? Series() : read(found->second, metric);
}

std::vector<double> History::times() const {
  std::lock_guard lock(mutex_);
  std::vector<double> times(filled_);
  for (std::size_t i = 0; i < filled_; ++i) times[i] = times_[(next_ + kSlots - filled_ + i) % kSlots];
  return times;
}

}  // namespace tenants::tool
