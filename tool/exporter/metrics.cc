#include "tool/exporter/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "module/accounting/escape.h"

namespace tenants::tool {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr MetricType kCounter = MetricType::Counter, kGauge = MetricType::Gauge;

// Metrics with one sample for each row of a table.
struct RowMetric {
  const char* name;
  MetricType type;
  std::size_t column;
  bool data;  // a replica holds copies: label `role`
  const char* help;
  double unit = 1;
};

constexpr RowMetric kTenantMetrics[] = {
    {"valkey_tenant_connections", kGauge, tenant_column::kConnections, false, "Connections that are open now."},
    {"valkey_tenant_commands_total", kCounter, tenant_column::kCommands, false, "Commands executed."},
    {"valkey_tenant_read_commands_total", kCounter, tenant_column::kReads, false, "Of the commands, those that read."},
    {"valkey_tenant_write_commands_total", kCounter, tenant_column::kWrites, false,
     "Of the commands, those that write."},
    {"valkey_tenant_failed_commands_total", kCounter, tenant_column::kErrors, false,
     "Commands that ran and replied an error. From Valkey 9.1 on."},
    {"valkey_tenant_denied_commands_total", kCounter, tenant_column::kDenied, false,
     "Commands refused by the ACL or for want of a login. From Valkey 9.1 on."},
    {"valkey_tenant_slow_commands_total", kCounter, tenant_column::kSlow, false,
     "Commands that kept the main thread busy for 10 ms or more."},
    {"valkey_tenant_cpu_seconds_total", kCounter, tenant_column::kCpuUsec, false,
     "CPU time of the server's main thread.", 1e-6},
    {"valkey_tenant_input_bytes_total", kCounter, tenant_column::kBytesIn, false, "Bytes received from clients."},
    {"valkey_tenant_output_bytes_total", kCounter, tenant_column::kBytesOut, false, "Bytes sent to clients."},
    {"valkey_tenant_keys", kGauge, tenant_column::kKeys, true, "Keys in all databases."},
    {"valkey_tenant_memory_bytes", kGauge, tenant_column::kBytes, true, "Memory of the keys, as MEMORY USAGE has it."},
    {"valkey_tenant_memory_error_bytes", kGauge, tenant_column::kBytesError, true,
     "Half width of the 95 % interval of valkey_tenant_memory_bytes."},
};

constexpr RowMetric kPrefixMetrics[] = {
    {"valkey_tenant_prefix_keys", kGauge, prefix_column::kKeys, true, "Keys in all databases."},
    {"valkey_tenant_prefix_memory_bytes", kGauge, prefix_column::kBytes, true,
     "Memory of the keys, as MEMORY USAGE has it."},
    {"valkey_tenant_prefix_memory_error_bytes", kGauge, prefix_column::kBytesError, true,
     "Half width of the 95 % interval of valkey_tenant_prefix_memory_bytes."},
    {"valkey_tenant_prefix_keys_without_ttl", kGauge, prefix_column::kKeysWithoutTtl, true,
     "Keys that never expire, as the last sweep met them."},
    {"valkey_tenant_prefix_hits_total", kCounter, prefix_column::kHits, false,
     "Look-ups of keys that were there, estimated from a sample."},
    {"valkey_tenant_prefix_misses_total", kCounter, prefix_column::kMisses, false,
     "Look-ups of keys that were not there, estimated from a sample."},
    {"valkey_tenant_prefix_expired_keys_total", kCounter, prefix_column::kExpired, false,
     "Keys that this server removed because they had expired."},
    {"valkey_tenant_prefix_evicted_keys_total", kCounter, prefix_column::kEvicted, false,
     "Keys that this server evicted to keep within maxmemory."},
};

// One sample for each node, from a number of its status.
struct NodeMetric {
  const char* name;
  MetricType type;
  const char* field;
  const char* help;
  bool data = false;
};

constexpr NodeMetric kNodeMetrics[] = {
    {"valkey_tenant_start_time_seconds", kGauge, "start_unix_seconds", "When the module was loaded, unix time."},
    {"valkey_tenant_counters_start_time_seconds", kGauge, "reset_unix_seconds",
     "When the module's counters began, unix time: the start, or TENANTS.RESETSTAT."},
    {"valkey_tenant_used_memory_bytes", kGauge, "server_memory_bytes", "Memory that the server uses."},
    {"valkey_tenant_overhead_memory_bytes", kGauge, "overhead_bytes", "Of it, memory that no key owns."},
    {"valkey_tenant_orphan_keys", kGauge, "orphan_keys", "Keys under no prefix of the ACL.", true},
    {"valkey_tenant_drift_keys_total", kCounter, "drift",
     "Corrections that the sweep made to counts of keys; none in normal work."},
    {"valkey_tenant_rejected_connections_total", kCounter, "connections_rejected",
     "Connections that the server refused: maxclients or protected mode."},
    {"valkey_tenant_module_memory_bytes", kGauge, "memory_bytes", "Memory that the module itself has allocated."},
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

Labels of_node(const Node& node, bool data) {
  Labels labels;
  labels.reserve(4);
  if (data) labels.push_back({"role", role_name(node.role)});
  labels.push_back({"node", shown_address(node.address)});
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

void add_rows(Page& page, const Snapshot& snapshot, Table table, std::span<const RowMetric> metrics,
              const std::vector<ShownNode>& shown) {
  static constexpr const char* kOther = "(other)";
  std::size_t rows = 0;
  for (const ShownNode& node : shown) rows += node.rows.size() + node.other.has_value();
  for (const RowMetric& metric : metrics) {
    MetricFamily family{metric.name, metric.help, metric.type, {}};
    family.metric.reserve(rows);
    for (std::size_t i = 0; i < shown.size(); ++i) {
      Labels labels = of_node(snapshot.nodes[i], metric.data);
      auto add_row = [&](const Values& values, const std::string& name, const std::string& owner) {
        std::uint64_t value = values[metric.column];
        if (value != kAbsent) add(family, of_row(table, labels, name, owner), static_cast<double>(value) * metric.unit);
      };
      for (const Shown& row : shown[i].rows)
        add_row(row.row->values, row.name, table == Table::kPrefixes ? shown_owner(*row.row) : std::string());
      if (shown[i].other) add_row(*shown[i].other, kOther, kOther);
    }
    page.add(std::move(family));
  }
}

// One sample for each node of which `value` knows one.
void add_nodes(Page& page, const Snapshot& snapshot, const char* name, MetricType type, const char* help, bool data,
               const std::function<std::optional<double>(const Node&)>& value) {
  MetricFamily family{name, help, type, {}};
  for (const Node& node : snapshot.nodes)
    if (std::optional<double> known = value(node)) add(family, of_node(node, data), *known);
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
      Labels labels = of_node(node, false);
      labels.push_back({"table", table});
      if (auto value = number(node.status_number(table + suffix))) add(family, std::move(labels), *value);
    }
  page.add(std::move(family));
}

void add_status(Page& page, const Snapshot& snapshot) {
  add_nodes(page, snapshot, "valkey_tenant_up", kGauge, "Did the module answer in this scrape?", false,
            [](const Node& node) { return std::optional<double>(node.up); });
  add_nodes(page, snapshot, "valkey_tenant_scrape_duration_seconds", kGauge,
            "How long the node took to answer, or to fail.", false,
            [](const Node& node) { return std::optional<double>(node.seconds); });
  MetricFamily info{"valkey_tenant_node_info", "What the node is.", kGauge, {}};
  for (const Node& node : snapshot.nodes) {
    if (!node.up) continue;
    Labels labels = of_node(node, true);
    for (auto [label, field] :
         {std::pair("server", "server"), {"module_version", "version"}, {"keys_mode", "keys_mode"}})
      labels.push_back({label, shown_address(std::string(text(node, field)))});
    add(info, std::move(labels), 1);
  }
  page.add(std::move(info));
  for (const NodeMetric& metric : kNodeMetrics)
    add_nodes(page, snapshot, metric.name, metric.type, metric.help, metric.data,
              [&](const Node& node) { return number(node.status_number(metric.field)); });
  add_nodes(page, snapshot, "valkey_tenant_max_memory_bytes", kGauge,
            "The server's maxmemory; absent where it has none.", false,
            [](const Node& node) { return number(node.max_memory); });
  double now = static_cast<double>(std::chrono::system_clock::to_time_t(snapshot.taken));
  add_nodes(page, snapshot, "valkey_tenant_sweep_completed_timestamp_seconds", kGauge,
            "When the last complete sweep over the keys ended, unix time.", false, [&](const Node& node) {
              auto age = number(node.status_number("sweep_age_seconds"));
              return age ? std::optional(now - *age) : std::nullopt;
            });
  add_nodes(page, snapshot, "valkey_tenant_sweep_running", kGauge, "Are sweeps on? 0: paused or off.", false,
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

std::string metrics_text(const SharedReading& reading, Selection& tenants, Selection* prefixes) {
  const Snapshot& snapshot = reading->snapshot;
  Page page;
  MetricFamily build{"valkey_tenant_exporter_build_info", "The exporter.", kGauge, {}};
  add(build, {{"version", TENANTS_VERSION}}, 1);
  page.add(std::move(build));
  add_status(page, snapshot);
  add_rows(page, snapshot, Table::kTenants, kTenantMetrics, tenants.show(reading));
  if (prefixes) add_rows(page, snapshot, Table::kPrefixes, kPrefixMetrics, prefixes->show(reading));
  return page.take();
}

}  // namespace tenants::tool
