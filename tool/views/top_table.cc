#include "tool/views/top_table.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "module/accounting/glob.h"
#include "tool/snapshot/sum.h"
#include "tool/views/format.h"

namespace tenants::tool {

namespace {

constexpr std::size_t kBarWidth = 6;

// The most telling first: what a narrow screen has no room for is left out from the end.
constexpr TopColumn kTenantColumns[] = {
    {"CPU%", tenant_column::kCpuUsec, TopColumn::kPercent},
    {"share", tenant_column::kCpuUsec, TopColumn::kShare},
    {"MEMORY", tenant_column::kBytes, TopColumn::kNow},
    {"share", tenant_column::kBytes, TopColumn::kShare},
    {"KEYS", tenant_column::kKeys, TopColumn::kNow},
    {"CONNS", tenant_column::kConnections, TopColumn::kNow},
    {"CMD/S", tenant_column::kCommands, TopColumn::kPerSecond},
    {"IN/S", tenant_column::kBytesIn, TopColumn::kPerSecond},
    {"OUT/S", tenant_column::kBytesOut, TopColumn::kPerSecond},
    {"READ/S", tenant_column::kReads, TopColumn::kPerSecond},
    {"WRITE/S", tenant_column::kWrites, TopColumn::kPerSecond},
    {"ERR/S", tenant_column::kErrors, TopColumn::kPerSecond},
    {"DENY/S", tenant_column::kDenied, TopColumn::kPerSecond},
    {"±MEM", tenant_column::kBytesError, TopColumn::kError},
};

constexpr TopColumn kUserColumns[] = {
    {"CPU%", user_column::kCpuUsec, TopColumn::kPercent},
    {"share", user_column::kCpuUsec, TopColumn::kShare},
    {"CONNS", user_column::kConnections, TopColumn::kNow},
    {"CMD/S", user_column::kCommands, TopColumn::kPerSecond},
    {"READ/S", user_column::kReads, TopColumn::kPerSecond},
    {"WRITE/S", user_column::kWrites, TopColumn::kPerSecond},
    {"IN/S", user_column::kBytesIn, TopColumn::kPerSecond},
    {"OUT/S", user_column::kBytesOut, TopColumn::kPerSecond},
    {"ERR/S", user_column::kErrors, TopColumn::kPerSecond},
    {"DENY/S", user_column::kDenied, TopColumn::kPerSecond},
    {"OPEN/S", user_column::kConnectionsTotal, TopColumn::kPerSecond},
    {"SCRIPT/S", user_column::kScripts, TopColumn::kPerSecond},
};

constexpr TopColumn kPrefixColumns[] = {
    {"MEMORY", prefix_column::kBytes, TopColumn::kNow},
    {"share", prefix_column::kBytes, TopColumn::kShare},
    {"±MEM", prefix_column::kBytesError, TopColumn::kError},
    {"KEYS", prefix_column::kKeys, TopColumn::kNow},
    {"HIT%", prefix_column::kHitRatio, TopColumn::kNow},
    {"HIT/S", prefix_column::kHits, TopColumn::kPerSecond},
    {"MISS/S", prefix_column::kMisses, TopColumn::kPerSecond},
    {"EXP/S", prefix_column::kExpired, TopColumn::kPerSecond},
    {"EVICT/S", prefix_column::kEvicted, TopColumn::kPerSecond},
    {"NO-TTL", prefix_column::kKeysWithoutTtl, TopColumn::kNow},
};

std::string lower(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return all;
}

std::string bar(std::uint64_t value, std::uint64_t whole) {
  double share =
      value == kAbsent || whole == kAbsent || whole == 0 ? 0 : static_cast<double>(value) / static_cast<double>(whole);
  auto filled = static_cast<std::size_t>(std::lround(std::min(share, 1.0) * kBarWidth));
  return std::string(filled, '|') + std::string(kBarWidth - filled, ' ');
}

std::string cell(Table table, const TopColumn& column, const Values& values, const Values& all, double seconds) {
  std::uint64_t value = values[column.column];
  switch (column.show) {
    case TopColumn::kShare:
      return bar(columns(table)[column.column].kind == Column::kCounter && seconds == 0 ? kAbsent : value,
                 all[column.column]);
    case TopColumn::kError:
      return human_error(values[column.column - 1], value);
    case TopColumn::kNow:
      return human(unit_of(table, column.column), value);
    default:
      break;
  }
  if (value == kAbsent || seconds == 0) return "-";
  double rate = static_cast<double>(value) / seconds;
  if (column.show == TopColumn::kPercent) return human_rate(Unit::kCount, rate / 1e4);
  return human_rate(unit_of(table, column.column), rate);
}

bool is_shown(const Row& row, const std::string& filter) {
  if (filter.empty()) return true;
  bool glob = filter.find_first_of("*?[") != std::string::npos;
  return glob ? matches(filter, row.name) || matches(filter, shown_name(row))
              : row.name.find(filter) != std::string::npos || shown_name(row).find(filter) != std::string::npos;
}

std::string count_of(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::vector<std::string> about(const Snapshot& now, const Sum& all, Table table, double seconds) {
  std::size_t primaries = 0, replicas = 0;
  std::uint64_t used = 0, most = 0;
  for (const Node& node : now.nodes) {
    primaries += node.up && node.role == Role::kPrimary;
    replicas += node.up && node.role == Role::kReplica;
    if (!node.data_source) continue;
    if (node.used_memory != kAbsent) used += node.used_memory;
    if (node.max_memory == kAbsent || most == kAbsent)
      most = kAbsent;  // no limit
    else
      most += node.max_memory;
  }
  std::time_t time = std::chrono::system_clock::to_time_t(now.taken);
  std::tm local{};
  localtime_r(&time, &local);
  char clock[16];
  std::strftime(clock, sizeof clock, "%H:%M:%S", &local);
  std::string first = std::string("valkey-tenants ") + clock + "  " + count_of(primaries, "primary", "primaries");
  if (replicas) first += ", " + count_of(replicas, "replica", "replicas");
  std::vector<std::string> down = now.incomplete();
  if (!down.empty()) first += ", " + std::to_string(down.size()) + " DOWN";
  const Values& values = all.total.values;
  if (table != Table::kPrefixes) {
    std::uint64_t cpu = values[*find_column(table, "cpu_usec")], commands = values[*find_column(table, "commands")];
    if (seconds > 0 && cpu != kAbsent)
      first += "  cpu " + human_rate(Unit::kCount, static_cast<double>(cpu) / seconds / 1e4) + "%";
    if (seconds > 0) first += "  " + human_rate(Unit::kCount, static_cast<double>(commands) / seconds) + " cmd/s";
  }
  first += "  used " + human(Unit::kBytes, used);
  if (most != kAbsent && most) first += " of " + human(Unit::kBytes, most);
  std::vector<std::string> lines{first};
  for (const std::string& line : down) lines.push_back("incomplete, without " + line);
  return lines;
}

}  // namespace

std::span<const TopColumn> top_columns(Table table) {
  switch (table) {
    case Table::kTenants:
      return kTenantColumns;
    case Table::kUsers:
      return kUserColumns;
    default:
      return kPrefixColumns;
  }
}

std::size_t next_sort(Table table, std::size_t sort, int step) {
  std::span<const TopColumn> all = top_columns(table);
  do {
    sort = (sort + all.size() + static_cast<std::size_t>(step)) % all.size();
  } while (all[sort].show == TopColumn::kShare);
  return sort;
}

std::optional<std::size_t> find_top_column(Table table, std::string_view name) {
  std::span<const TopColumn> all = top_columns(table);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].show != TopColumn::kShare &&
        (lower(all[i].header) == lower(name) || columns(table)[all[i].column].name == name))
      return i;
  return std::nullopt;
}

TopFrame top_frame(const Snapshot* before, const Snapshot& now, const TopOptions& options) {
  Table table = options.table;
  double seconds = before ? seconds_between(*before, now) : 0;
  Sum all = sum(before ? growth(*before, now) : now, table);
  TopFrame frame{about(now, all, table, seconds), {}};
  std::vector<Row>& rows = all.rows;
  std::erase_if(rows, [&](const Row& row) { return !is_shown(row, options.filter); });
  std::span<const TopColumn> shown = top_columns(table);
  std::size_t by = shown[options.sort].column;
  std::ranges::stable_sort(rows, [&](const Row& a, const Row& b) {
    std::uint64_t left = a.values[by], right = b.values[by];
    if (left == kAbsent || right == kAbsent) return left != kAbsent && right == kAbsent;
    return options.reverse ? left < right : left > right;
  });
  const char* names[] = {"TENANT", "USER", "PREFIX"};
  frame.table.header = {names[static_cast<std::size_t>(table)]};
  for (const TopColumn& column : shown) {
    std::string header = column.show == TopColumn::kShare ? std::string(kBarWidth, ' ') : column.header;
    if (&column == &shown[options.sort]) header += options.reverse ? "^" : "*";
    frame.table.header.push_back(header);
  }
  auto add = [&](const std::string& name, const Values& values) {
    std::vector<std::string> line{name};
    for (const TopColumn& column : shown) line.push_back(cell(table, column, values, all.total.values, seconds));
    frame.table.rows.push_back(std::move(line));
  };
  add("total", total(table, rows).values);
  for (std::size_t i = 0; i < shown.size(); ++i)
    if (shown[i].show == TopColumn::kShare) frame.table.rows[0][i + 1].clear();  // the whole is no share
  for (Row& row : rows) {
    if (row.kind == Kind::kOverhead) row.values[tenant_column::kBytesError] = 0;  // is no estimate
    add(shown_title(row), row.values);
  }
  return frame;
}

}  // namespace tenants::tool
