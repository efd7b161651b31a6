#include "tool/fleet/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "module/accounting/escape.h"
#include "tool/client/printable.h"

namespace tenants::tool {

namespace {

constexpr std::size_t kMostConcerns = 4;
constexpr double kFull = 0.9;        // of maxmemory
constexpr double kLeastSeconds = 2;  // of a window: a rate over less says nothing
constexpr double kLeastGrowth = 1 << 20, kLeastShare = 0.01;
constexpr double kSoon = 3600;  // s
constexpr double kMuchCpu = 0.5, kAllCpu = 0.9;
constexpr double kManyErrors = 10;  // per second

using Of = std::vector<Concern>;

std::string text_of(const char* format, double value, const char* unit = "") {
  char text[64];
  std::snprintf(text, sizeof text, format, value, unit);
  return text;
}

std::string bytes_text(double bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (bytes >= 1023.5 && unit + 1 < std::size(kUnits)) bytes /= 1024, ++unit;
  return text_of(unit && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, kUnits[unit]);
}

std::string span_text(double seconds) {
  if (seconds < 90) return text_of("%.0f s", seconds);
  return seconds < 5400 ? text_of("%.0f min", seconds / 60) : text_of("%.0f h", seconds / 3600);
}

std::string rate_text(double rate) { return text_of(rate < 9.95 ? "%.1f" : "%.0f", std::max(rate, 0.1)); }

double known(std::uint64_t value) { return value == kAbsent ? 0 : static_cast<double>(value); }

// What the tenants of one node did within some seconds.
struct Use {
  std::string node;
  double seconds = 0;
  std::span<const Row> rows;
};

// By the servers' memory where they have one, else by two readings.
std::vector<Use> recent_use(const Evidence& evidence) {
  std::vector<Use> all;
  for (const Window& window : evidence.recent.now) all.push_back({window.node, window.seconds, window.rows});
  if (all.empty() && evidence.grown)
    for (const Node& node : evidence.grown->nodes)
      all.push_back({node.address, evidence.grown_seconds, node.rows(Table::kTenants)});
  std::erase_if(all, [](const Use& use) { return use.seconds < kLeastSeconds; });
  return all;
}

// Per second over all nodes, of one column: in all, and whose it mostly is.
struct Rate {
  double all = 0, most = 0;
  std::string tenant;
};
Rate rate_of(const std::vector<Use>& uses, std::size_t column) {
  std::map<std::string_view, double> by_tenant;
  Rate rate;
  for (const Use& use : uses) {
    for (const Row& row : use.rows) {
      double of = known(row.values[column]) / use.seconds;
      rate.all += of;
      if (is_own(row.kind) || of == 0) continue;
      double& sum = by_tenant[row.name];
      sum += of;
      if (sum > rate.most) rate.most = sum, rate.tenant = row.name;
    }
  }
  return rate;
}

void add_down(const Evidence& evidence, Of& concerns) {
  std::size_t down = evidence.now.nodes.size() - evidence.now.nodes_up();
  if (down == 0) return;
  const Node& first = *std::ranges::find(evidence.now.nodes, false, &Node::up);
  std::string text = printable(first.address);
  text += first.failure.code == Exit::kConnect ? " is down: " : " cannot be read: ";
  text += first.failure.what();
  if (down > 1) text += ", and " + std::to_string(down - 1) + " more";
  concerns.push_back({Severity::kCritical, text, ""});
}

// ", evicts 12 keys/s, most of it shop's", where that is known.
std::string evictions(const Evidence& evidence, const Node& node, std::string& whose) {
  if (!evidence.grown || evidence.grown_seconds <= 0) return "";
  auto grown = std::ranges::find(evidence.grown->nodes, node.address, &Node::address);
  if (grown == evidence.grown->nodes.end()) return "";
  std::map<std::string_view, double> by_owner;
  double all = 0, most = 0;
  for (const Row& row : grown->rows(Table::kPrefixes)) {
    double evicted = known(row.values[prefix_column::kEvicted]);
    all += evicted;
    if (row.owner.empty() || row.owner == "(orphans)") continue;
    double& sum = by_owner[row.owner];
    sum += evicted;
    if (sum > most) most = sum, whose = row.owner;
  }
  if (all == 0) return "";
  std::string text = ", evicts " + rate_text(all / evidence.grown_seconds) + " keys/s";
  if (!whose.empty()) text += ", most of it " + escape(whose) + "'s";
  return text;
}

void add_memory(const Evidence& evidence, const std::vector<Use>& uses, Of& concerns) {
  const Node* fullest = nullptr;
  double most = kFull;
  std::size_t full = 0;
  for (const Node& node : evidence.now.nodes) {
    if (!node.up || node.max_memory == kAbsent || node.used_memory == kAbsent) continue;
    double share = known(node.used_memory) / known(node.max_memory);
    full += share >= kFull;
    if (share >= most) most = share, fullest = &node;
  }
  if (!fullest) return;
  Concern concern{Severity::kWarning, "", ""};
  if (evidence.now.nodes.size() > 1) concern.text = printable(fullest->address) + ": ";
  concern.text += "memory is at " + text_of("%.0f", most * 100) + " % of maxmemory, " +
                  bytes_text(known(fullest->used_memory)) + " of " + bytes_text(known(fullest->max_memory));
  std::string evicts = evictions(evidence, *fullest, concern.tenant);
  std::vector<Use> here;
  std::ranges::copy_if(uses, std::back_inserter(here), [&](const Use& use) { return use.node == fullest->address; });
  Rate refused = rate_of(here, tenant_column::kRejected);
  if (most >= 0.99 && evicts.empty() && refused.all > 0) {  // OOM, to a client
    concern.severity = Severity::kCritical;
    concern.tenant = refused.tenant;
    evicts = ", " + rate_text(refused.all) + " commands/s are refused";
    if (!refused.tenant.empty()) evicts += ", most of them " + escape(refused.tenant) + "'s";
  }
  concern.text += evicts;
  if (full > 1) concern.text += "; nodes as full: " + std::to_string(full);
  concerns.push_back(std::move(concern));
}

// How one tenant's memory grew, on all nodes whose data count.
struct Growth {
  double bytes = 0, seconds = 0, full_in = INFINITY;  // seconds until the first node is full that is not yet
  double of_memory = 0;                               // the largest share of a node's used memory
};

// Where the window began before the keys were loaded or counted, these look as if they had grown. A tenant that sent
// not even a tenth of it has not written them.
bool is_written(const Node& node, const Window& window, const Row& row, double bytes) {
  double uptime = known(node.status_number("uptime_seconds"));
  if (uptime > window.seconds + 60) return true;
  return known(row.values[tenant_column::kWrites]) > 0 &&
         (row.values[tenant_column::kBytesIn] == kAbsent || bytes <= 10 * known(row.values[tenant_column::kBytesIn]));
}

std::map<std::string_view, Growth> growth_by_tenant(const Evidence& evidence) {
  std::map<std::string_view, Growth> all;
  for (const Window& window : evidence.recent.five_minutes) {
    auto node = std::ranges::find(evidence.now.nodes, window.node, &Node::address);
    if (node == evidence.now.nodes.end() || !node->up || !node->data_source || window.seconds < kLeastSeconds) continue;
    for (std::size_t i = 0; i < window.rows.size(); ++i) {
      auto bytes = static_cast<double>(window.changes[i][1].value_or(0));
      const Row& row = window.rows[i];
      if (bytes == 0 || is_own(row.kind) || (bytes > 0 && !is_written(*node, window, row, bytes))) continue;
      Growth& growth = all[row.name];
      growth.bytes += bytes;
      growth.seconds = std::max(growth.seconds, window.seconds);
      if (node->used_memory != kAbsent && node->used_memory)
        growth.of_memory = std::max(growth.of_memory, bytes / known(node->used_memory));
      if (bytes > 0 && node->max_memory != kAbsent && known(node->used_memory) < kFull * known(node->max_memory))
        growth.full_in = std::min(growth.full_in, known(node->max_memory - node->used_memory) / bytes * window.seconds);
    }
  }
  return all;
}

void add_growth(const Evidence& evidence, Of& concerns) {
  std::map<std::string_view, Growth> all = growth_by_tenant(evidence);
  auto most = std::ranges::max_element(all, {}, [](const auto& one) { return one.second.bytes; });
  if (most == all.end()) return;
  const auto& [tenant, growth] = *most;
  bool is_full_soon = growth.full_in < kSoon;
  if (growth.bytes < kLeastGrowth || (growth.of_memory < kLeastShare && !is_full_soon)) return;
  std::string text =
      escape(tenant) + " grew by " + bytes_text(growth.bytes) + " in " + span_text(std::min(growth.seconds, 300.0));
  if (growth.full_in < 24 * kSoon) text += ", full in about " + span_text(growth.full_in);
  concerns.push_back({is_full_soon ? Severity::kWarning : Severity::kNotice, text, std::string(tenant)});
}

void add_failures(const std::vector<Use>& uses, std::size_t column, const char* what, Of& concerns) {
  Rate rate = rate_of(uses, column);
  if (rate.tenant.empty()) return;
  std::string text = escape(rate.tenant) + ": " + rate_text(rate.most) + " " + what;
  if (rate.all > rate.most * 1.01) text += ", " + rate_text(rate.all) + "/s in all";
  concerns.push_back({rate.most >= kManyErrors ? Severity::kWarning : Severity::kNotice, text, rate.tenant});
}

void add_cpu(const std::vector<Use>& uses, Of& concerns) {
  double most = kMuchCpu;
  std::string tenant, node;
  for (const Use& use : uses)
    for (const Row& row : use.rows) {
      double cores = known(row.values[tenant_column::kCpuUsec]) / 1e6 / use.seconds;
      if (!is_own(row.kind) && cores > most) most = cores, tenant = row.name, node = use.node;
    }
  if (tenant.empty()) return;
  std::string text = escape(tenant) + " takes " + text_of("%.0f", most * 100) + " % of the CPU";
  if (uses.size() > 1) text += " of " + printable(node);
  concerns.push_back({most >= kAllCpu ? Severity::kWarning : Severity::kNotice, text, tenant});
}

}  // namespace

Recent read_recent(Fleet& fleet, std::size_t rows) {
  auto windows = read_windows(
      fleet, {{10, {"commands", "errors", "denied", "rejected", "cpu_usec"}}, {300, {"bytes_change", "bytes"}}}, rows);
  return {std::move(windows[0]), std::move(windows[1])};
}

const char* severity_name(Severity severity) {
  constexpr const char* kNames[] = {"critical", "warning", "notice"};
  return kNames[static_cast<std::size_t>(severity)];
}

std::vector<Concern> attention(const Evidence& evidence) {
  std::vector<Use> uses = recent_use(evidence);
  std::vector<Concern> concerns;
  add_down(evidence, concerns);
  if (std::string counting = evidence.now.counting(); !counting.empty())
    concerns.push_back({Severity::kNotice, counting, ""});
  add_memory(evidence, uses, concerns);
  add_growth(evidence, concerns);
  add_failures(uses, tenant_column::kErrors, "errors/s", concerns);
  add_failures(uses, tenant_column::kDenied, "commands/s refused by the ACL", concerns);
  add_cpu(uses, concerns);
  std::ranges::stable_sort(concerns, {}, &Concern::severity);
  if (concerns.size() > kMostConcerns) concerns.erase(concerns.begin() + kMostConcerns, concerns.end());
  return concerns;
}

}  // namespace tenants::tool
