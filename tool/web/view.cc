#include "tool/web/view.h"

#include <algorithm>
#include <array>

#include "module/accounting/escape.h"

namespace tenants::tool::web {

namespace {

constexpr PageColumn kTenantPage[] = {
    {"tenant", "Tenant", "ACL user, or group of users", Unit::kName},
    {"memory", "Memory", "of its keys; ± is the half width of the 95 % interval", Unit::kBytes, tenant_column::kBytes,
     true, true},
    {"growth", "Growth", "of memory in the last five minutes", Unit::kGrowth},
    {"keys", "Keys", "in all databases", Unit::kCount, tenant_column::kKeys, true, true},
    {"connections", "Connections", "open now", Unit::kCount, tenant_column::kConnections, true, true},
    {"commands", "Commands/s", "executed", Unit::kPerSecond, tenant_column::kCommands, true, true},
    {"reads", "Reads/s", "commands that read", Unit::kPerSecond, tenant_column::kReads, false, false, true},
    {"writes", "Writes/s", "commands that write", Unit::kPerSecond, tenant_column::kWrites, false, false, true},
    {"cpu", "CPU", "of main threads, in percent of one core", Unit::kCpu, tenant_column::kCpuUsec, true, true},
    {"in", "In/s", "bytes received from clients", Unit::kBytesPerSecond, tenant_column::kBytesIn},
    {"out", "Out/s", "bytes sent to clients", Unit::kBytesPerSecond, tenant_column::kBytesOut},
    {"errors", "Errors/s", "commands that failed", Unit::kPerSecond, tenant_column::kErrors},
    {"denied", "Denied/s", "commands that the ACL refused", Unit::kPerSecond, tenant_column::kDenied},
    {"slow", "Slow/s", "commands of 10 ms or more", Unit::kPerSecond, tenant_column::kSlow},
};

constexpr PageColumn kPrefixPage[] = {
    {"prefix", "Prefix", "beginning of key names", Unit::kName},
    {"tenant", "Tenant", "who owns the prefix", Unit::kOwner},
    {"memory", "Memory", "of the keys; ± is the half width of the 95 % interval", Unit::kBytes, prefix_column::kBytes,
     true, true},
    {"keys", "Keys", "in all databases", Unit::kCount, prefix_column::kKeys, true, true},
    {"forever", "Without TTL", "keys that never expire", Unit::kCount, prefix_column::kKeysWithoutTtl, false, true},
    {"hits", "Hits/s", "look-ups of keys that were there, estimated from a sample", Unit::kPerSecond,
     prefix_column::kHits, true, true},
    {"misses", "Misses/s", "look-ups of keys that were not there, estimated from a sample", Unit::kPerSecond,
     prefix_column::kMisses, false, true},
    {"ratio", "Hit ratio", "hits of all look-ups, since the counters began", Unit::kHitRatio, prefix_column::kHitRatio},
    {"expired", "Expired/s", "keys removed because they had expired", Unit::kPerSecond, prefix_column::kExpired},
    {"evicted", "Evicted/s", "keys removed to keep within maxmemory", Unit::kPerSecond, prefix_column::kEvicted},
};

bool contains(std::string_view text, std::string_view part) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  auto alike = [&](char a, char b) { return lower(a) == lower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), alike) != text.end() || part.empty();
}

Line total_of(Table table, const std::vector<Line>& lines) {
  std::vector<Row> now, grown;
  std::optional<long long> change = 0;
  for (const Line& line : lines) {
    if (!line.bytes_change && line.row->kind != Kind::kOverhead) change.reset();
    if (change) *change += line.bytes_change.value_or(0);
    now.push_back({.name = "", .kind = line.row->kind, .owner = "", .values = line.now});
    grown.push_back({.name = "", .kind = line.row->kind, .owner = "", .values = line.grown});
  }
  return {.now = total(table, now).values, .grown = total(table, grown).values, .bytes_change = change};
}

void sort(std::vector<Line>& lines, const View& view, const Request& request) {
  std::vector<std::pair<std::optional<double>, Line>> keyed;
  keyed.reserve(lines.size());
  for (Line& line : lines) {
    auto key = value(view, line, *request.sort);
    keyed.emplace_back(key, std::move(line));
  }
  std::ranges::stable_sort(keyed, [&](const auto& a, const auto& b) {
    bool a_own = is_own(a.second.row->kind), b_own = is_own(b.second.row->kind);
    if (a_own != b_own) return b_own;
    if (request.sort->unit == Unit::kName || request.sort->unit == Unit::kOwner) {
      auto name = [&](const auto& each) -> const std::string& {
        return request.sort->unit == Unit::kName ? each.second.name : each.second.owner;
      };
      return request.ascending ? name(a) < name(b) : name(b) < name(a);
    }
    if (!a.first || !b.first) return a.first.has_value() && !b.first;  // what is not known comes last
    return request.ascending ? *a.first < *b.first : *b.first < *a.first;
  });
  for (std::size_t i = 0; i < lines.size(); ++i) lines[i] = std::move(keyed[i].second);
}

}  // namespace

std::span<const PageColumn> page_columns(Table table) {
  return table == Table::kTenants ? std::span<const PageColumn>(kTenantPage) : std::span<const PageColumn>(kPrefixPage);
}

const PageColumn& page_column(Table table, std::string_view id) {
  return *std::ranges::find(page_columns(table), id, &PageColumn::id);
}

std::string readable(const std::string& name, bool own) {
  if (own) return name;
  std::string text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    char c = name[i];
    bool at_end = i == 0 || i + 1 == name.size();
    bool plain = c >= ' ' && c < 0x7f && c != '%' && !(c == ' ' && at_end) && !(c == '(' && i == 0);
    static constexpr const char* kHex = "0123456789ABCDEF";
    auto byte = static_cast<unsigned char>(c);
    if (plain)
      text += c;
    else
      text.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return text;
}

std::optional<double> value(const View& view, const Line& line, const PageColumn& column) {
  if (column.unit == Unit::kGrowth) return line.bytes_change;
  bool rate = column.unit == Unit::kPerSecond || column.unit == Unit::kBytesPerSecond || column.unit == Unit::kCpu;
  if (column.unit == Unit::kName || column.unit == Unit::kOwner || (rate && view.seconds <= 0)) return std::nullopt;
  std::uint64_t number = rate ? line.grown[column.column] : line.now[column.column];
  if (number == kAbsent) return std::nullopt;
  auto known = static_cast<double>(number);
  if (column.unit == Unit::kCpu) return known / 1e6 / view.seconds * 100;
  if (column.unit == Unit::kHitRatio) return known / 10;
  return rate ? known / view.seconds : known;
}

View view(SharedReading reading, const SharedReading& before, const Request& request, const Recent* recent) {
  View view{.reading = std::move(reading)};
  const Snapshot& now = view.reading->snapshot;
  view.sum = sum(now, request.table);
  Sum grown;
  if (before) {
    view.seconds = seconds_between(before->snapshot, now);
    grown = sum(growth(before->snapshot, now), request.table);  // the same rows in the same order
  }
  auto wanted = [&](const Row& row) {
    if (!request.only) return true;
    return !is_own(row.kind) && (request.table == Table::kPrefixes ? row.owner : row.name) == *request.only;
  };
  std::vector<Line> all;
  all.reserve(view.sum.rows.size());
  for (std::size_t i = 0; i < view.sum.rows.size(); ++i) {
    const Row& row = view.sum.rows[i];
    if (!wanted(row)) continue;
    std::string name = readable(row.name, is_own(row.kind)) + kind_suffix(row.kind);
    std::string owner = row.owner.empty() ? row.owner : readable(row.owner, row.owner == "(orphans)");
    all.push_back({std::move(name), std::move(owner), &row, row.values, before ? grown.rows[i].values : kNothingKnown});
    if (recent && request.table == Table::kTenants)
      all.back().bytes_change = change_of(recent->five_minutes, now, row, tenant_column::kBytes);
    view.all += !is_own(row.kind);
  }
  view.whole = total_of(request.table, all);
  if (!request.search.empty())
    std::erase_if(all, [&](const Line& line) {
      return !contains(line.name, request.search) && !contains(shown_title(*line.row), request.search);
    });
  view.total = request.search.empty() ? view.whole : total_of(request.table, all);
  sort(all, view, request);
  view.found = static_cast<std::size_t>(std::ranges::count_if(all, [](auto& line) { return !is_own(line.row->kind); }));
  if (view.found > request.top) {
    auto first = all.begin() + static_cast<std::ptrdiff_t>(request.top);
    auto last = all.begin() + static_cast<std::ptrdiff_t>(view.found);
    view.left_out = total_of(request.table, {first, last});
    all.erase(first, last);
  }
  view.lines = std::move(all);
  return view;
}

}  // namespace tenants::tool::web
