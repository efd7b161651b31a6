#include "tool/exporter/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <functional>
#include <set>
#include <sstream>

#include "module/accounting/escape.h"

namespace tenants::tool {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr MetricType kCounter = MetricType::Counter, kGauge = MetricType::Gauge;

// What of a row's number a sample is: the whole, or one part, said by a label.
struct Part {
  std::size_t column;
  const char* value = nullptr;  // of the metric's label
};
constexpr std::size_t kOtherCommands = kMostColumns;  // no column: what is of none of the kinds that have one

// Metrics of the rows of a table.
struct RowMetric {
  const char* name;
  MetricType type;
  std::vector<Part> parts;
  const char* help;
  double unit = 1;
  const char* label = nullptr;
};

const std::vector<RowMetric>& tenant_metrics() {
  using namespace tenant_column;
  static const std::vector<RowMetric> kMetrics{
      {"valkey_tenant_connections", kGauge, {{kConnections}}, "Connections that are open now."},
      {"valkey_tenant_connections_peak", kGauge, {{kConnectionsPeak}}, "Most connections that were open at once."},
      {"valkey_tenant_connections_opened_total",
       kCounter,
       {{kConnectionsTotal}},
       "Connections that became this tenant's: at connect or by a login."},
      {"valkey_tenant_commands_total",
       kCounter,
       {{kReads, "read"},
        {kWrites, "write"},
        {kAdmin, "admin"},
        {kScripts, "script"},
        {kPubsub, "pubsub"},
        {kOtherCommands, "other"}},
       "Commands executed.",
       1,
       "kind"},
      {"valkey_tenant_failed_commands_total",
       kCounter,
       {{kErrors}},
       "Commands that ran and replied an error. From Valkey 9.1 on."},
      {"valkey_tenant_rejected_commands_total",
       kCounter,
       {{kRejected}},
       "Commands refused before they ran, for another reason than the ACL. From Valkey 9.1 on."},
      {"valkey_tenant_denied_commands_total",
       kCounter,
       {{kDeniedAuth, "auth"},
        {kDeniedCommand, "command"},
        {kDeniedKey, "key"},
        {kDeniedChannel, "channel"},
        {kDeniedDatabase, "database"}},
       "Commands refused by the ACL or for want of a login. From Valkey 9.1 on.",
       1,
       "reason"},
      {"valkey_tenant_authentication_failures_total",
       kCounter,
       {{kAuthFailures}},
       "Failed logins, of who the connection was when it tried. From Valkey 9.0 on."},
      {"valkey_tenant_slow_commands_total",
       kCounter,
       {{kSlow}},
       "Commands that kept the main thread busy for 10 ms or more."},
      {"valkey_tenant_cpu_seconds_total", kCounter, {{kCpuUsec}}, "CPU time of the server's main thread.", 1e-6},
      {"valkey_tenant_input_bytes_total", kCounter, {{kBytesIn}}, "Bytes received from clients."},
      {"valkey_tenant_output_bytes_total", kCounter, {{kBytesOut}}, "Bytes sent to clients."},
      {"valkey_tenant_keys", kGauge, {{kKeys}}, "Keys in all databases."},
      {"valkey_tenant_memory_bytes", kGauge, {{kBytes}}, "Memory of the keys, as MEMORY USAGE has it."},
      {"valkey_tenant_memory_error_bytes",
       kGauge,
       {{kBytesError}},
       "Half width of the 95 % interval of valkey_tenant_memory_bytes."},
  };
  return kMetrics;
}

const std::vector<RowMetric>& prefix_metrics() {
  using namespace prefix_column;
  constexpr double kThousandths = 1e-3;
  static const std::vector<RowMetric> kMetrics{
      {"valkey_tenant_prefix_keys", kGauge, {{kKeys}}, "Keys in all databases."},
      {"valkey_tenant_prefix_memory_bytes", kGauge, {{kBytes}}, "Memory of the keys, as MEMORY USAGE has it."},
      {"valkey_tenant_prefix_memory_error_bytes",
       kGauge,
       {{kBytesError}},
       "Half width of the 95 % interval of valkey_tenant_prefix_memory_bytes."},
      {"valkey_tenant_prefix_coverage_ratio",
       kGauge,
       {{kCoverage}},
       "Share of the keys that were measured.",
       kThousandths},
      {"valkey_tenant_prefix_keys_without_ttl",
       kGauge,
       {{kKeysWithoutTtl}},
       "Keys that never expire, as the last sweep met them."},
      {"valkey_tenant_prefix_hits_total",
       kCounter,
       {{kHits}},
       "Look-ups of keys that were there, estimated from a sample."},
      {"valkey_tenant_prefix_misses_total",
       kCounter,
       {{kMisses}},
       "Look-ups of keys that were not there, estimated from a sample."},
      {"valkey_tenant_prefix_hit_ratio",
       kGauge,
       {{kHitRatio}},
       "Hits of all look-ups since the counters began; absent while chance could make it wrong by more than 0.1.",
       kThousandths},
      {"valkey_tenant_prefix_expired_keys_total",
       kCounter,
       {{kExpired}},
       "Keys that this server removed because they had expired."},
      {"valkey_tenant_prefix_evicted_keys_total",
       kCounter,
       {{kEvicted}},
       "Keys that this server evicted to keep within maxmemory."},
  };
  return kMetrics;
}

std::uint64_t value_of(const Values& values, std::size_t column) {
  if (column != kOtherCommands) return values[column];
  using namespace tenant_column;
  std::uint64_t rest = values[kCommands];
  for (std::size_t kind : {kReads, kWrites, kAdmin, kScripts, kPubsub}) {
    if (rest == kAbsent || values[kind] == kAbsent || values[kind] > rest) return kAbsent;
    rest -= values[kind];
  }
  return rest;
}

// One sample for each node, from a number of its status.
struct NodeMetric {
  const char* name;
  MetricType type;
  const char* field;
  const char* help;
  double unit = 1;
};

constexpr NodeMetric kNodeMetrics[] = {
    {"valkey_tenant_start_time_seconds", kGauge, "start_unix_seconds", "When the module was loaded, unix time."},
    {"valkey_tenant_counters_start_time_seconds", kGauge, "reset_unix_seconds",
     "When the module's counters began, unix time: the start, or TENANTS.RESETSTAT."},
    {"valkey_tenant_used_memory_bytes", kGauge, "server_memory_bytes", "Memory that the server uses."},
    {"valkey_tenant_overhead_memory_bytes", kGauge, "overhead_bytes", "Of it, memory that no key owns."},
    {"valkey_tenant_orphan_keys", kGauge, "orphan_keys", "Keys under no prefix of the ACL."},
    {"valkey_tenant_drift_keys_total", kCounter, "drift",
     "Corrections that the sweep made to counts of keys; none in normal work."},
    {"valkey_tenant_rejected_connections_total", kCounter, "connections_rejected",
     "Connections that the server refused: maxclients or protected mode."},
    {"valkey_tenant_module_memory_bytes", kGauge, "memory_bytes", "Memory that the module itself has allocated."},
    {"valkey_tenant_cpu_waited_seconds_total", kCounter, "cpu_waited_usec",
     "For which the server's main thread was ready to run and had to wait for a core.", 1e-6},
    {"valkey_tenant_sweep_cpu_seconds_total", kCounter, "sweep_cpu_usec",
     "CPU time of the main thread that went into sweeps.", 1e-6},
    {"valkey_tenant_sweep_longest_slice_seconds", kGauge, "sweep_longest_slice_cpu_usec",
     "Most CPU time that a sweep kept the main thread busy at once.", 1e-6},
    {"valkey_tenant_sweep_measured_keys_total", kCounter, "sweep_keys_measured",
     "Keys that sweeps have measured, each by one MEMORY USAGE."},
    {"valkey_tenant_unread_connections_total", kCounter, "bytes_missed",
     "Connections that closed, or changed their user, without a last reading of their bytes."},
};

void add(MetricFamily& family, Labels labels, double value) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  (family.type == kCounter ? metric.counter.value : metric.gauge.value) = value;
}

// The page, family by family: only one of them is in memory as objects.
class Page {
 public:
  void add(MetricFamily family) {
    if (family.metric.empty()) return;
    std::vector<MetricFamily> one;
    one.push_back(std::move(family));
    serializer_.Serialize(text_, one);
  }
  std::string take() { return std::move(text_).str(); }

 private:
  prometheus::TextSerializer serializer_;
  std::ostringstream text_;
};

void add_group(Labels& labels, const std::string& group) {
  if (!group.empty()) labels.push_back({"cluster", shown_address(group)});
}

Labels of_node(const Node& node) {
  Labels labels;
  labels.reserve(5);
  labels.push_back({"node", shown_address(node.address)});
  add_group(labels, node.group);
  return labels;
}

Labels of_row(Table table, Labels labels, const std::string& name, const std::string& owner) {
  if (table == Table::kPrefixes) {
    labels.push_back({"prefix", name});
    labels.push_back({"tenant", owner});
  } else {
    labels.push_back({"tenant", name});
  }
  return labels;
}

void add_rows(Page& page, const Snapshot& snapshot, Table table, const std::vector<RowMetric>& metrics,
              const std::vector<ShownNode>& shown) {
  static constexpr const char* kOther = "(other)";
  std::size_t rows = 0;
  for (const ShownNode& node : shown) rows += node.rows.size() + node.other.has_value();
  for (const RowMetric& metric : metrics) {
    MetricFamily family{metric.name, metric.help, metric.type, {}};
    family.metric.reserve(rows * metric.parts.size());
    for (std::size_t i = 0; i < shown.size(); ++i) {
      Labels labels = of_node(snapshot.nodes[i]);
      auto add_row = [&](const Values& values, const std::string& name, const std::string& owner) {
        for (const Part& part : metric.parts) {
          std::uint64_t value = value_of(values, part.column);
          if (value == kAbsent) continue;
          Labels all = of_row(table, labels, name, owner);
          if (part.value) all.push_back({metric.label, part.value});
          add(family, std::move(all), static_cast<double>(value) * metric.unit);
        }
      };
      for (const Shown& row : shown[i].rows)
        add_row(row.row->values, row.name, table == Table::kPrefixes ? shown_owner(*row.row) : std::string());
      if (shown[i].other) add_row(*shown[i].other, kOther, kOther);
    }
    page.add(std::move(family));
  }
}

// One sample for each node of which `value` knows one.
void add_nodes(Page& page, const Snapshot& snapshot, const char* name, MetricType type, const char* help,
               const std::function<std::optional<double>(const Node&)>& value) {
  MetricFamily family{name, help, type, {}};
  for (const Node& node : snapshot.nodes)
    if (std::optional<double> known = value(node)) add(family, of_node(node), *known);
  page.add(std::move(family));
}

std::optional<double> number(std::uint64_t value) {
  return value == kAbsent ? std::nullopt : std::optional(static_cast<double>(value));
}

std::string_view text(const Node& node, std::string_view field) {
  auto found = node.status.find(field);
  return found == node.status.end() ? std::string_view() : std::string_view(found->second);
}

void add_tables(Page& page, const Snapshot& snapshot, const char* name, MetricType type, const char* help,
                const std::string& suffix) {
  MetricFamily family{name, help, type, {}};
  for (const Node& node : snapshot.nodes)
    for (const char* table : {"users", "prefixes"}) {
      Labels labels = of_node(node);
      labels.push_back({"table", table});
      if (auto value = number(node.status_number(table + suffix))) add(family, std::move(labels), *value);
    }
  page.add(std::move(family));
}

void add_completeness(Page& page, const Snapshot& snapshot) {
  MetricFamily complete{"valkey_tenant_data_complete",
                        "Is a primary of each data set among the nodes that answered? 0: sums over nodes lack keys.",
                        kGauge,
                        {}};
  std::set<std::string> groups;
  for (const Node& node : snapshot.nodes) groups.insert(node.group);
  for (const std::string& group : groups) {
    Labels labels;
    add_group(labels, group);
    add(complete, std::move(labels), snapshot.has_all_data(group));
  }
  page.add(std::move(complete));
}

void add_status(Page& page, const Snapshot& snapshot) {
  add_nodes(page, snapshot, "valkey_tenant_up", kGauge, "Did the module answer in this scrape?",
            [](const Node& node) { return std::optional<double>(node.up); });
  add_nodes(page, snapshot, "valkey_tenant_server_reachable", kGauge,
            "Did the server answer in this scrape, with the module or without?", [](const Node& node) {
              return std::optional<double>(node.up || node.failure.code == Exit::kNoModule ||
                                           node.failure.code == Exit::kDenied);
            });
  add_nodes(page, snapshot, "valkey_tenant_scrape_duration_seconds", kGauge,
            "How long the node took to answer, or to fail.",
            [](const Node& node) { return std::optional<double>(node.seconds); });
  add_nodes(page, snapshot, "valkey_tenant_node_data_source", kGauge,
            "Do its keys and memory count in sums? 1 for one primary of each data set.", [](const Node& node) {
              // A replica that stands in for its primary here may be another exporter's copy.
              return node.up ? std::optional<double>(node.data_source && node.role == Role::kPrimary) : std::nullopt;
            });
  add_nodes(page, snapshot, "valkey_tenant_node_slots", kGauge, "Slots that it owns, as its cluster says.",
            [](const Node& node) { return node.slots ? std::optional<double>(node.slots) : std::nullopt; });
  add_nodes(page, snapshot, "valkey_tenant_replica_lag_bytes", kGauge,
            "Of the replication stream, what this copy has yet to get.",
            [&](const Node& node) -> std::optional<double> {
              const Node* source = source_of(snapshot, node);
              return source ? number(lag(*source, node).bytes.value_or(kAbsent)) : std::nullopt;
            });
  add_completeness(page, snapshot);
  MetricFamily info{"valkey_tenant_node_info", "What the node is.", kGauge, {}};
  for (const Node& node : snapshot.nodes) {
    if (!node.up) continue;
    Labels labels = of_node(node);
    labels.push_back({"role", role_name(node.role)});
    for (auto [label, field] :
         {std::pair("server", "server"), {"module_version", "version"}, {"keys_mode", "keys_mode"}})
      labels.push_back({label, shown_address(std::string(text(node, field)))});
    add(info, std::move(labels), 1);
  }
  page.add(std::move(info));
  for (const NodeMetric& metric : kNodeMetrics)
    add_nodes(page, snapshot, metric.name, metric.type, metric.help, [&](const Node& node) {
      std::optional<double> value = number(node.status_number(metric.field));
      return value ? std::optional(*value * metric.unit) : std::nullopt;
    });
  add_nodes(page, snapshot, "valkey_tenant_max_memory_bytes", kGauge,
            "The server's maxmemory; absent where it has none.",
            [](const Node& node) { return number(node.max_memory); });
  double now = static_cast<double>(std::chrono::system_clock::to_time_t(snapshot.taken));
  add_nodes(page, snapshot, "valkey_tenant_sweep_completed_timestamp_seconds", kGauge,
            "When the last complete sweep over the keys ended, unix time.", [&](const Node& node) {
              auto age = number(node.status_number("sweep_age_seconds"));
              return age ? std::optional(now - *age) : std::nullopt;
            });
  add_nodes(page, snapshot, "valkey_tenant_sweep_progress_ratio", kGauge, "Of the sweep that runs, what is done.",
            [](const Node& node) { return node.sweep_progress(); });
  add_nodes(page, snapshot, "valkey_tenant_sweep_running", kGauge, "Are sweeps on? 0: paused or off.",
            [](const Node& node) {
              std::string_view state = text(node, "sweep_state");
              if (state.empty()) return std::optional<double>();
              return std::optional<double>(state == "running" || state == "waiting");
            });
  add_tables(page, snapshot, "valkey_tenant_dropped_rows_total", kCounter,
             "How often a row was wanted and the module's table was full.", "_dropped");
  add_tables(page, snapshot, "valkey_tenant_rows", kGauge, "Rows in use of the module's table.", "");
  add_tables(page, snapshot, "valkey_tenant_rows_capacity", kGauge, "Rows that the module's table has.", "_capacity");
}

}  // namespace

std::string shown_address(const std::string& address) {
  bool printable = std::ranges::all_of(address, [](char c) { return c >= ' ' && c < 0x7f; });
  return printable ? address : escape(address);
}

std::string metrics_text(const SharedReading& reading, Selection& tenants, Selection* prefixes, std::uint64_t refused) {
  const Snapshot& snapshot = reading->snapshot;
  Page page;
  MetricFamily build{"valkey_tenant_exporter_build_info", "The exporter.", kGauge, {}};
  add(build, {{"version", TENANTS_VERSION}}, 1);
  page.add(std::move(build));
  MetricFamily turned_away{"valkey_tenant_exporter_refused_requests_total",
                           "Requests and connections that were turned away for want of room.",
                           kCounter,
                           {}};
  add(turned_away, {}, static_cast<double>(refused));
  page.add(std::move(turned_away));
  add_status(page, snapshot);
  add_rows(page, snapshot, Table::kTenants, tenant_metrics(), tenants.show(reading));
  if (prefixes) add_rows(page, snapshot, Table::kPrefixes, prefix_metrics(), prefixes->show(reading));
  return page.take();
}

}  // namespace tenants::tool
