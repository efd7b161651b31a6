#include "tool/views/top_table.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>

#include "tool/snapshot/sum.h"
#include "tool/views/format.h"
#include "tool/views/rows.h"
#include "tool/views/text_table.h"

namespace tenants::tool {

namespace {

constexpr std::size_t kBarWidth = 6, kShortestName = 12, kWide = 100;  // from so many columns on there is room for gaps
constexpr std::size_t kNone = TopColumn::kNone;

constexpr TopColumn kTenantTop[] = {
    {"CPU%", 5, 'P', TopColumn::kPercent, tenant_column::kCpuUsec, kNone, "CPU time, of one core, over all nodes"},
    {"MEMORY", 6, 'M', TopColumn::kNow, tenant_column::kBytes, kNone, "memory of its keys, on the primaries"},
    {"ΔMEM", 6, 'G', TopColumn::kChange, tenant_column::kBytes, kNone, "how it grew in the last five minutes"},
    {"KEYS", 5, 'K', TopColumn::kNow, tenant_column::kKeys, kNone, "on the primaries"},
    {"CONNS", 5, 'C', TopColumn::kNow, tenant_column::kConnections, kNone, "connections that are open"},
    {"CMD/S", 5, 'N', TopColumn::kPerSecond, tenant_column::kCommands, kNone, "commands"},
    {"IN+OUT/S", 8, 'B', TopColumn::kPerSecond, tenant_column::kBytesIn, tenant_column::kBytesOut,
     "bytes of its connections, over ten seconds"},
    {"HIT%", 4, 'H', TopColumn::kHits, kNone, kNone, "look-ups that found a key, since the reset"},
    {"ERR/S", 5, 'E', TopColumn::kPerSecond, tenant_column::kErrors, kNone, "commands that replied an error"},
    {"±MEM", 5, 0, TopColumn::kError, tenant_column::kBytes, tenant_column::kBytesError, "how wrong MEMORY can be"},
    {"DENY/S", 6, 'D', TopColumn::kPerSecond, tenant_column::kDenied, kNone, "commands that the ACL refused"},
    {"READ/S", 6, 0, TopColumn::kPerSecond, tenant_column::kReads, kNone, "commands that read"},
    {"WRITE/S", 7, 0, TopColumn::kPerSecond, tenant_column::kWrites, kNone, "commands that write"},
    {"IN/S", 5, 0, TopColumn::kPerSecond, tenant_column::kBytesIn, kNone, "bytes received"},
    {"OUT/S", 5, 0, TopColumn::kPerSecond, tenant_column::kBytesOut, kNone, "bytes sent"},
};

constexpr TopColumn kUserTop[] = {
    {"CPU%", 5, 'P', TopColumn::kPercent, user_column::kCpuUsec, kNone, "CPU time, of one core, over all nodes"},
    {"CONNS", 5, 'C', TopColumn::kNow, user_column::kConnections, kNone, "connections that are open"},
    {"CMD/S", 5, 'N', TopColumn::kPerSecond, user_column::kCommands, kNone, "commands"},
    {"IN+OUT/S", 8, 'B', TopColumn::kPerSecond, user_column::kBytesIn, user_column::kBytesOut,
     "bytes of its connections"},
    {"ERR/S", 5, 'E', TopColumn::kPerSecond, user_column::kErrors, kNone, "commands that replied an error"},
    {"DENY/S", 6, 'D', TopColumn::kPerSecond, user_column::kDenied, kNone, "commands that the ACL refused"},
    {"READ/S", 6, 0, TopColumn::kPerSecond, user_column::kReads, kNone, "commands that read"},
    {"WRITE/S", 7, 0, TopColumn::kPerSecond, user_column::kWrites, kNone, "commands that write"},
    {"OPEN/S", 6, 0, TopColumn::kPerSecond, user_column::kConnectionsTotal, kNone, "connections opened"},
    {"SCRIPT/S", 8, 0, TopColumn::kPerSecond, user_column::kScripts, kNone, "scripts and functions"},
    {"IN/S", 5, 0, TopColumn::kPerSecond, user_column::kBytesIn, kNone, "bytes received"},
    {"OUT/S", 5, 0, TopColumn::kPerSecond, user_column::kBytesOut, kNone, "bytes sent"},
};

constexpr TopColumn kPrefixTop[] = {
    {"MEMORY", 6, 'M', TopColumn::kNow, prefix_column::kBytes, kNone, "memory of its keys, on the primaries"},
    {"KEYS", 5, 'K', TopColumn::kNow, prefix_column::kKeys, kNone, "on the primaries"},
    {"HIT%", 4, 'H', TopColumn::kHits, prefix_column::kHits, prefix_column::kMisses,
     "look-ups that found a key, since the reset"},
    {"HIT/S", 5, 0, TopColumn::kPerSecond, prefix_column::kHits, kNone, "look-ups that found a key"},
    {"MISS/S", 6, 0, TopColumn::kPerSecond, prefix_column::kMisses, kNone, "look-ups that found none"},
    {"EXP/S", 5, 0, TopColumn::kPerSecond, prefix_column::kExpired, kNone, "keys that expired"},
    {"EVICT/S", 7, 0, TopColumn::kPerSecond, prefix_column::kEvicted, kNone, "keys that the server evicted"},
    {"NO-TTL", 6, 0, TopColumn::kNow, prefix_column::kKeysWithoutTtl, kNone, "keys that never expire"},
    {"±MEM", 5, 0, TopColumn::kError, prefix_column::kBytes, prefix_column::kBytesError, "how wrong MEMORY can be"},
};
static_assert(std::size(kTenantTop) <= kMostTopColumns && std::size(kUserTop) <= kMostTopColumns);

std::string lower(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return all;
}

// Characters of UTF-8: a header may have a ±.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

double number(std::uint64_t value) { return value == kAbsent ? NAN : static_cast<double>(value); }

// One row's use in the last ten seconds, per second over all nodes; and how its memory changed in five minutes.
class RecentUse {
 public:
  RecentUse(Table table, const TopSources& sources, const Row& row) : sources_(sources) {
    if (!sources.recent || table == Table::kPrefixes) return;
    if (table == Table::kUsers && !is_own(row.kind) && row.owner != row.name) return;  // one of several of a tenant
    if (table == Table::kUsers) first_ = tenant_column::kOfUsers;
    for (const Window& window : sources.recent->now) found_.push_back(window.find(row));
    if (table == Table::kUsers &&
        std::ranges::any_of(found_, [](const Row* of) { return of && of->kind == Kind::kGroup; }))
      found_.clear();
  }
  // NAN: not known.
  double rate(std::size_t column) const {
    double sum = found_.empty() ? NAN : 0;
    column += first_;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      const Window& window = sources_.recent->now[i];
      if (found_[i])
        sum += window.seconds > 0 ? number(found_[i]->values[column]) / window.seconds : NAN;
      else if (!window.complete)
        return NAN;
    }
    return sum;
  }
  double memory_change(const Row& row) const {
    double sum = NAN;
    if (!sources_.recent) return sum;
    for (const Window& window : sources_.recent->five_minutes) {
      auto node = std::ranges::find(sources_.now.nodes, window.node, &Node::address);
      const Row* found = window.find(row);
      if (!found || node == sources_.now.nodes.end() || !node->data_source) continue;
      std::optional<long long> change = window.changes[static_cast<std::size_t>(found - window.rows.data())][1];
      if (!change) return NAN;
      sum = (std::isnan(sum) ? 0 : sum) + static_cast<double>(*change);
    }
    return sum;
  }

 private:
  const TopSources& sources_;
  std::vector<const Row*> found_;  // in each window
  std::size_t first_ = 0;          // of the tenant's columns, what is the first of its user's
};

// What fills the cells of one row.
struct Parts {
  Table table;
  const Row& now;
  const Row& grown;  // the same with counters as they grew
  double seconds;    // within which; 0: unknown
  const RecentUse& recent;
  const TopSources& sources;
};

double rate(const Parts& parts, std::size_t column) {
  double since = parts.seconds > 0 ? number(parts.grown.values[column]) / parts.seconds : NAN;
  double recent = parts.recent.rate(column);
  // A server reads its clients' bytes now and then only: over a short time they come in leaps.
  bool bytes = unit_of(parts.table, column) == Unit::kBytes;
  return std::isnan(since) || (bytes && !std::isnan(recent)) ? recent : since;
}

TopCell hits(const Parts& parts, const TopColumn& column) {
  if (column.column != kNone) {
    double found = number(parts.now.values[column.column]), missed = number(parts.now.values[column.other]);
    return {found, found + missed};
  }
  if (!parts.sources.lookups || is_own(parts.now.kind)) return {};
  auto known = parts.sources.lookups->find(parts.now.name);
  return known == parts.sources.lookups->end() ? TopCell{} : known->second;
}

TopCell cell_of(const Parts& parts, const TopColumn& column) {
  switch (column.show) {
    case TopColumn::kPercent:
      return {rate(parts, column.column) / 1e4};
    case TopColumn::kPerSecond:
      return {rate(parts, column.column) + (column.other == kNone ? 0 : rate(parts, column.other))};
    case TopColumn::kChange:
      return {parts.recent.memory_change(parts.now)};
    case TopColumn::kHits:
      return hits(parts, column);
    case TopColumn::kError: {
      bool told = parts.now.kind == Kind::kOverhead;  // by the server, is no estimate
      return {told ? 0 : number(parts.now.values[column.other]), number(parts.now.values[column.column])};
    }
    default:
      return {number(parts.now.values[column.column])};
  }
}

std::string text_of(Table table, const TopColumn& column, const TopCell& cell) {
  double value = cell.value();
  auto whole = [](double of) { return std::isnan(of) ? kAbsent : static_cast<std::uint64_t>(std::llround(of)); };
  if (column.show == TopColumn::kError) return human_error(whole(cell.whole), whole(cell.part));
  if (std::isnan(value)) return "-";
  switch (column.show) {
    case TopColumn::kNow:
      return human(unit_of(table, column.column), whole(value));
    case TopColumn::kChange:
      return (value < 0 ? "-" : value > 0 ? "+" : "") + human(Unit::kBytes, whole(std::abs(value)));
    case TopColumn::kHits:
      return human(Unit::kShare, static_cast<std::uint64_t>(value * 1000));
    case TopColumn::kPercent:
      return human_rate(Unit::kCount, value);
    default:
      return human_rate(unit_of(table, column.column), value);
  }
}

std::string count_of(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string about(const Snapshot& now, const TopRows& rows) {
  std::size_t primaries = 0, replicas = 0;
  std::uint64_t used = 0, most = 0;
  for (const Node& node : now.nodes) {
    primaries += node.up && node.role == Role::kPrimary;
    replicas += node.up && node.role == Role::kReplica;
    if (!node.data_source) continue;
    if (node.used_memory != kAbsent) used += node.used_memory;
    add_known(most, node.max_memory);  // one without a limit: there is none
  }
  std::time_t time = std::chrono::system_clock::to_time_t(now.taken);
  std::tm local{};
  localtime_r(&time, &local);
  char clock[16];
  std::strftime(clock, sizeof clock, "%H:%M:%S", &local);
  std::string line = std::string("valkey-tenants ") + clock + "  " + count_of(primaries, "primary", "primaries");
  if (replicas) line += ", " + count_of(replicas, "replica", "replicas");
  if (std::size_t down = now.nodes.size() - now.nodes_up()) line += ", " + std::to_string(down) + " DOWN";
  if (rows.table != Table::kPrefixes) {
    std::vector<std::uint32_t> all = top_order(rows, {.table = rows.table, .filter = ""});
    TopRow total = top_total(rows, all);
    double cpu = total.cells[*find_top_column(rows.table, "CPU%")].value();
    double commands = total.cells[*find_top_column(rows.table, "CMD/S")].value();
    if (!std::isnan(cpu)) line += "  cpu " + human_rate(Unit::kCount, cpu) + "%";
    if (!std::isnan(commands)) line += "  " + human_rate(Unit::kCount, commands) + " cmd/s";
  }
  line += "  used " + human(Unit::kBytes, used);
  if (most != kAbsent && most) line += " of " + human(Unit::kBytes, most);
  return line;
}

std::size_t width_of(const TopColumn& column, bool sorted) {
  return std::max(column.width, characters(column.header) + sorted);
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  std::size_t has = characters(text);
  std::string padding(has < width ? width - has : 0, ' ');
  return left ? text + padding : padding + text;
}

std::string without_end(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::span<const TopColumn> top_columns(Table table) {
  switch (table) {
    case Table::kTenants:
      return kTenantTop;
    case Table::kUsers:
      return kUserTop;
    default:
      return kPrefixTop;
  }
}

const char* top_title(Table table) {
  constexpr const char* kTitles[] = {"TENANT", "USER", "PREFIX"};
  return kTitles[static_cast<std::size_t>(table)];
}

std::optional<std::size_t> find_top_column(Table table, std::string_view name) {
  std::span<const TopColumn> all = top_columns(table);
  for (std::size_t i = 0; i < all.size(); ++i) {
    bool key = name.size() == 1 && name[0] == all[i].key;
    if (key || lower(all[i].header) == lower(name)) return i;
  }
  if (lower(name) == "growth") return find_top_column(table, "ΔMEM");
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::size_t column = all[i].show == TopColumn::kError ? all[i].other : all[i].column;
    if (column != kNone && all[i].show != TopColumn::kChange && columns(table)[column].name == name) return i;
  }
  return std::nullopt;
}

Lookups lookups_of(const Snapshot& prefixes) {
  Lookups all;
  for (const Node& node : prefixes.nodes)
    for (const Row& row : node.rows(Table::kPrefixes)) {
      std::uint64_t hits = row.values[prefix_column::kHits], misses = row.values[prefix_column::kMisses];
      if (is_own(row.kind) || hits == kAbsent || misses == kAbsent) continue;
      TopCell& cell = all.try_emplace(row.owner, TopCell{0, 0}).first->second;
      cell.part += static_cast<double>(hits);
      cell.whole += static_cast<double>(hits) + static_cast<double>(misses);
    }
  return all;
}

TopRows top_rows(Table table, const TopSources& sources) {
  double seconds = sources.before ? seconds_between(*sources.before, sources.now) : 0;
  std::vector<Row> now = sum(sources.now, table).rows, grown;
  if (seconds > 0) grown = sum(growth(*sources.before, sources.now), table).rows;
  std::span<const TopColumn> all = top_columns(table);
  TopRows rows{.table = table};
  rows.rows.reserve(now.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    RecentUse recent(table, sources, now[i]);
    Parts parts{table, now[i], seconds > 0 ? grown[i] : now[i], seconds, recent, sources};
    TopRow row{now[i].kind, shown_title(now[i]), now[i].name, now[i].owner, {}};
    for (std::size_t k = 0; k < all.size(); ++k) row.cells[k] = cell_of(parts, all[k]);
    rows.rows.push_back(std::move(row));
  }
  rows.about = about(sources.now, rows);
  return rows;
}

std::vector<std::uint32_t> top_order(const TopRows& rows, const TopOptions& options) {
  std::vector<std::pair<double, std::uint32_t>> chosen;
  std::vector<std::uint32_t> own, order;
  for (std::uint32_t i = 0; i < rows.rows.size(); ++i) {
    const TopRow& row = rows.rows[i];
    if (!passes_filter(row.name, row.title, options.filter)) continue;
    double value = row.cells[options.sort].value();
    if (std::isnan(value))
      value = -std::numeric_limits<double>::infinity();
    else if (options.reverse)
      value = -value;
    if (is_own(row.kind))
      own.push_back(i);
    else
      chosen.emplace_back(value, i);
  }
  std::ranges::stable_sort(chosen, std::ranges::greater(), &std::pair<double, std::uint32_t>::first);
  for (const auto& [value, i] : chosen) order.push_back(i);
  order.insert(order.end(), own.begin(), own.end());
  return order;
}

TopRow top_total(const TopRows& rows, const std::vector<std::uint32_t>& order) {
  TopRow total{.kind = Kind::kUnknown, .title = "total"};
  std::span<const TopColumn> all = top_columns(rows.table);
  for (std::size_t i = 0; i < all.size(); ++i) {
    // An unknown number makes the sum unknown. Not so of those that are shares, nor where only some changed.
    bool share = all[i].show == TopColumn::kHits || all[i].show == TopColumn::kError;
    bool skips = share || all[i].show == TopColumn::kChange;
    TopCell sum{0, share ? 0.0 : 1.0};
    bool any = false;
    for (std::uint32_t number : order) {
      const TopCell& cell = rows.rows[number].cells[i];
      if (skips && (std::isnan(cell.part) || std::isnan(cell.whole))) continue;
      any = true;
      sum.part += cell.part;
      if (share) sum.whole += cell.whole;
    }
    total.cells[i] = any || order.empty() ? sum : TopCell{};
  }
  return total;
}

bool TopLayout::shows(std::size_t column) const { return std::ranges::find(columns, column) != columns.end(); }

TopLayout top_layout(const TopOptions& options, std::size_t width, std::size_t longest, bool with_bar) {
  std::span<const TopColumn> all = top_columns(options.table);
  TopLayout layout{.sort = options.sort, .gap = width && width < kWide ? std::size_t{1} : 2};
  if (with_bar && all[options.sort].show != TopColumn::kHits && all[options.sort].show != TopColumn::kError)
    layout.bar = kBarWidth;
  std::size_t longest_name =
      std::max({longest, characters(top_title(options.table)), std::string_view("total").size()});
  std::size_t least = std::min(longest_name, kShortestName);
  auto needs = [&](std::size_t i) { return layout.gap + width_of(all[i], i == options.sort); };
  std::size_t used = least + needs(options.sort);
  if (width && used + layout.bar > width) layout.bar = 0;
  if (layout.bar) used += layout.gap + layout.bar;
  bool room = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i != options.sort) {
      room &= !width || used + needs(i) <= width;
      if (!room) continue;
      used += needs(i);
    }
    layout.columns.push_back(i);
  }
  layout.name = width ? std::min(longest_name, least + (width > used ? width - used : 0)) : longest_name;
  if (width && used > width) layout.name = least > used - width ? least - (used - width) : 0;
  std::size_t at = layout.name;
  for (std::size_t i : layout.columns) {
    at += needs(i);
    if (i == options.sort) layout.bar_at = at + layout.gap;
    if (i == options.sort) break;
  }
  return layout;
}

std::size_t next_sort(const TopLayout& layout, int step) {
  auto at = static_cast<std::size_t>(std::ranges::find(layout.columns, layout.sort) - layout.columns.begin());
  return layout.columns[(at + layout.columns.size() + static_cast<std::size_t>(step)) % layout.columns.size()];
}

std::string top_heading(const TopLayout& layout, const TopOptions& options) {
  std::string line = padded(cut(top_title(options.table), layout.name), layout.name, true);
  for (std::size_t i : layout.columns) {
    const TopColumn& column = top_columns(options.table)[i];
    std::string header = column.header;
    if (i == options.sort) header += options.reverse ? "^" : "*";
    line += std::string(layout.gap, ' ') + padded(header, width_of(column, i == options.sort), false);
    if (i == options.sort && layout.bar) line += std::string(layout.gap + layout.bar, ' ');
  }
  return without_end(line);
}

std::string top_line(const TopLayout& layout, Table table, const TopRow& row, double whole) {
  std::string line = padded(cut(row.title, layout.name), layout.name, true);
  for (std::size_t i : layout.columns) {
    const TopColumn& column = top_columns(table)[i];
    std::string text = text_of(table, column, row.cells[i]);
    line += std::string(layout.gap, ' ') + padded(text, width_of(column, i == layout.sort), false);
    if (i != layout.sort || !layout.bar) continue;
    double share = row.cells[i].value() / whole;
    auto filled = std::isnan(share) ? 0 : std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(layout.bar));
    line += std::string(layout.gap, ' ') + padded(std::string(static_cast<std::size_t>(filled), '|'), layout.bar, true);
  }
  return without_end(line);
}

double top_whole(const TopRows& rows, std::size_t column) {
  double sum = 0;
  for (const TopRow& row : rows.rows) {
    double value = row.cells[column].value();
    if (value > 0) sum += value;
  }
  return sum > 0 ? sum : NAN;
}

std::vector<std::string> top_help(Table table) {
  std::vector<std::string> lines{
      "  up, down, PgUp, PgDn, Home, End   move the cursor",
      "  Enter      all of the tenant below the cursor; Esc, Backspace or q goes back",
      "  < >        sort by the column to the left or right; r turns the order round",
      "  /          show names that contain a text, or match * ? [; Esc shows all",
      "  TAB        tenants, users, prefixes; SPACE pauses and goes on; q quits",
      "",
      "Columns, and the key that sorts by one; rates are per second:",
  };
  for (const TopColumn& column : top_columns(table)) {
    std::string key = column.key ? std::string(1, column.key) : " ";
    lines.push_back("  " + key + "  " + padded(column.header, 8, true) + "  " + column.help);
  }
  return lines;
}

}  // namespace tenants::tool
