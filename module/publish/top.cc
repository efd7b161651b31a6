// TENANTS.TOP: who used most over the last 10 s, minute, or five minutes.

#include <algorithm>

#include "module/hooks/hooks.h"
#include "module/publish/publish.h"
#include "module/publish/replies.h"

namespace tenants {

using server_api::api;

namespace {

// What a tenant has now, and what changed: counters by how much they grew, the rest as it is. Gauges that are worth it
// also by how they changed, which may be below 0.
struct Changing {
  std::uint8_t column;
  const char* name;
  bool stored = true;  // of keys, which have to be counted first
};
constexpr Changing kChanging[] = {{tenant_columns::kConnections, "connections_change", false},
                                  {tenant_columns::kKeys, "keys_change"},
                                  {tenant_columns::kBytes, "bytes_change"}};

struct Use {
  TenantValues values;
  std::array<CsvText::Change, std::size(kChanging)> changes;
};

std::uint64_t at(const PackedColumns* columns, std::size_t column, std::uint32_t row) {
  return columns && row < columns->rows() ? columns->at(column, row) : 0;  // who was not there had nothing
}

// Since the counters of a row began anew, if they did. Absent CPU time was 0, its timer had not run yet; absent bytes
// were not read (tenants.bytes-interval 0), and nobody knows how many there were.
std::uint64_t growth(std::size_t column, std::uint64_t now, std::uint64_t then) {
  bool bytes = column == tenant_columns::kBytesIn || column == tenant_columns::kBytesOut;
  if (now == kAbsent || (bytes && then == kAbsent)) return kAbsent;
  return then == kAbsent || then > now ? now : now - then;
}

// The moments that the present one is compared with: of changes the latter, since when keys have been counted.
struct Before {
  Moment all, counted;
  Before(const Tallies& tallies, std::size_t window)
      : all(tallies.history().before(window, tallies.last().usec)),
        counted(tallies.history().before(window, tallies.last().usec, true)) {}
};

std::optional<std::int64_t> change(const Columns& now, const Before& before, const Changing& what, std::uint32_t row) {
  const Moment& moment = what.stored ? before.counted : before.all;
  if (!moment.columns) return std::nullopt;
  std::uint64_t value = now[what.column][row], then = at(moment.columns.get(), what.column, row);
  if (value == kAbsent || then == kAbsent) return std::nullopt;
  return static_cast<std::int64_t>(value - then);
}

Use use(const Columns& now, const Before& before, std::uint32_t row) {
  const PackedColumns* then = before.all.columns.get();
  Use use;
  for (std::size_t i = 0; i < use.values.size(); ++i) {
    use.values[i] = now[i][row];
    if (kTenantColumns[i].kind == Column::kCounter) use.values[i] = growth(i, now[i][row], at(then, i, row));
  }
  for (std::size_t i = 0; i < use.changes.size(); ++i) use.changes[i] = change(now, before, kChanging[i], row);
  return use;
}

struct By {
  std::size_t column = 0;
  bool change = false;  // of kChanging
  const char* name = nullptr;
};

std::optional<By> find_by(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kChanging); ++i)
    if (is_word(name, kChanging[i].name)) return By{i, true, kChanging[i].name};
  std::optional<std::size_t> column = find_column(kTenantColumns, name);
  return column ? std::optional(By{*column, false, kTenantColumns[*column].name}) : std::nullopt;
}

// 0: not worth a line. Changes below 0 come after those above.
constexpr std::uint64_t kBelowZero = 1ULL << 63;
std::uint64_t score(const Columns& now, const Before& before, By by, std::uint32_t row) {
  if (by.change) {
    std::int64_t changed = change(now, before, kChanging[by.column], row).value_or(0);
    return changed ? static_cast<std::uint64_t>(changed) ^ kBelowZero : 0;
  }
  std::uint64_t value = now[by.column][row];
  if (kTenantColumns[by.column].kind == Column::kCounter)
    value = growth(by.column, value, at(before.all.columns.get(), by.column, row));
  return value == kAbsent ? 0 : value;
}

long fields(const Use& use) {
  return known(use.values) + std::ranges::count_if(use.changes, [](const auto& change) { return change.has_value(); });
}

void reply_fields(Context* context, const Use& use) {
  reply_values(context, kTenantColumns, use.values);
  for (std::size_t i = 0; i < use.changes.size(); ++i) {
    if (!use.changes[i]) continue;
    reply(context, kChanging[i].name);
    api.ReplyWithLongLong(context, *use.changes[i]);
  }
}

}  // namespace

void reply_recent(Context* context, const Module& module, std::uint32_t row) {
  const Tally& tally = module.tallies.last();
  reply(context, "recent");
  api.ReplyWithArray(context, static_cast<long>(History::kWindows.size()));
  for (std::size_t window = 0; window < History::kWindows.size(); ++window) {
    Before before(module.tallies, window);
    Use recent = use(tally.tenants, before, row);
    for (std::size_t i = 0; i < recent.values.size(); ++i)
      if (kTenantColumns[i].kind != Column::kCounter) recent.values[i] = kAbsent;
    api.ReplyWithMap(context, 2 + fields(recent));
    reply_field(context, "window", History::kWindows[window] / 1'000'000);
    reply(context, "seconds");
    api.ReplyWithDouble(context, static_cast<double>(tally.usec - before.all.usec) / 1e6);
    reply_fields(context, recent);
  }
}

namespace {

struct TopRequest {
  By by;
  std::size_t window = 0;
  std::uint64_t count = 10;
  bool csv = false;
};

// What is wrong, or nothing.
std::optional<std::string> read_top(String** argv, int argc, TopRequest& request) {
  for (int i = 1; i < argc; i += 2) {
    std::string_view option = server_api::view(argv[i]);
    bool by = is_word(option, "by"), over = is_word(option, "over"), format = is_word(option, "format");
    if (!by && !over && !format && !is_word(option, "count"))
      return "unknown option, allowed are BY, OVER, COUNT and FORMAT";
    if (i + 1 == argc)
      return std::string("option ") + (by ? "BY" : over ? "OVER" : format ? "FORMAT" : "COUNT") + " has no value";
    std::string_view value = server_api::view(argv[i + 1]);
    if (by) {
      std::optional<By> found = find_by(value);
      if (!found) {
        std::string rule = column_rule(kTenantColumns);
        for (const Changing& changing : kChanging) rule.append(", ").append(changing.name);
        return rule;
      }
      request.by = *found;
    } else if (over) {
      std::uint64_t seconds = number_in<std::uint64_t>(value).value_or(0);
      auto found = std::ranges::find(History::kWindows, std::min(seconds, std::uint64_t{301}) * 1'000'000);
      if (found == History::kWindows.end()) return "invalid OVER, allowed are 10, 60 and 300 seconds";
      request.window = static_cast<std::size_t>(found - History::kWindows.begin());
    } else if (format) {
      std::optional<bool> csv = read_format(value);
      if (!csv) return kFormatRule;
      request.csv = *csv;
    } else {
      std::optional<std::uint64_t> wanted = read_count(value);
      if (!wanted) return kCountRule;
      request.count = *wanted;
    }
  }
  return std::nullopt;
}

}  // namespace

int top(Context* context, String** argv, int argc) {
  Module& module = *module_state;
  TopRequest request{.by = {module.cpu.has_run() ? tenant_columns::kCpuUsec : tenant_columns::kCommands}};
  request.by.name = kTenantColumns[request.by.column].name;
  if (auto wrong = read_top(argv, argc, request)) return refuse(context, *wrong);
  module.identity.be_right(Identity::Of::kEverybody, false);
  module.tallies.bring_up_to_date(module);
  const Tally& tally = module.tallies.last();
  const Columns& now = tally.tenants;
  Before before(module.tallies, request.window);
  First first(request.count);
  for (std::uint32_t row = 0; row < now.rows(); ++row)
    if (std::uint64_t points = score(now, before, request.by, row)) first.offer({points, row});
  std::vector<Place> places = first.take();
  std::erase_if(places, [&](const Place& place) { return !is_listed(module, place.row); });
  bool counted = before.counted.columns != nullptr;
  api.ReplyWithMap(context, 3 + counted);
  reply_field(context, "by", request.by.name);
  reply(context, "seconds");
  api.ReplyWithDouble(context, static_cast<double>(tally.usec - before.all.usec) / 1e6);
  if (counted) {
    reply(context, "changes_seconds");
    api.ReplyWithDouble(context, static_cast<double>(tally.usec - before.counted.usec) / 1e6);
  }
  reply(context, "tenants");
  if (request.csv) {
    CsvText csv;
    csv.begin(nullptr, kTenantColumns, {kChanging[0].name, kChanging[1].name, kChanging[2].name});
    for (const Place& place : places) {
      Use recent = use(now, before, place.row);
      Tenant tenant = tenant_at(module, place.row);
      csv.add(tenant.name, tenant.kind, {}, recent.values, recent.changes);
    }
    reply(context, csv.text());
    return server_api::kOk;
  }
  api.ReplyWithArray(context, static_cast<long>(places.size()));
  for (const Place& place : places) {
    Use recent = use(now, before, place.row);
    Tenant tenant = tenant_at(module, place.row);
    api.ReplyWithMap(context, 2 + fields(recent));
    reply_field(context, "name", tenant.name);
    reply_field(context, "kind", tenant.kind);
    reply_fields(context, recent);
  }
  return server_api::kOk;
}

}  // namespace tenants
