#include "tool/views/top_details.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "module/accounting/escape.h"
#include "tool/client/printable.h"
#include "tool/views/format.h"
#include "tool/views/text_table.h"

namespace tenants::tool {

namespace {

constexpr std::size_t kLeastSection = 2;  // a heading and a line

std::string signed_text(Unit unit, const std::optional<long long>& change) {
  if (!change) return "-";
  std::string size = human(unit, static_cast<std::uint64_t>(std::abs(*change)));
  return (*change < 0 ? "-" : *change > 0 ? "+" : "") + size;
}

std::string headline(const TopTenant& tenant) {
  using namespace tenant_column;
  const Values& values = tenant.details.tenant.values;
  auto text = [&](std::size_t column) { return human(unit_of(Table::kTenants, column), values[column]); };
  std::string line =
      escape(tenant.name) + "  " + text(kBytes) + " ±" + human_error(values[kBytes], values[kBytesError]);
  line += "  " + text(kKeys) + " keys  " + text(kConnections) +
          (values[kConnections] == 1 ? " connection" : " connections");
  std::size_t down = tenant.details.nodes.nodes.size() - tenant.details.nodes.nodes_up();
  return down ? line + "  " + std::to_string(down) + " DOWN" : line;
}

TextTable recent_table(const TenantDetails& details) {
  using namespace tenant_column;
  TextTable table{{"LAST", "CPU%", "CMD/S", "ERR/S", "DENY/S", "IN/S", "OUT/S", "ΔKEYS", "ΔMEM"}, {}};
  for (const Trend& trend : details.trends) {
    auto rate = [&](std::size_t column, double scale = 1) {
      if (!trend.rates[column]) return std::string("-");
      Unit unit = unit_of(Table::kTenants, column) == Unit::kBytes ? Unit::kBytes : Unit::kCount;
      return human_rate(unit, *trend.rates[column] * scale);
    };
    table.rows.push_back({human(Unit::kUsec, static_cast<std::uint64_t>(trend.seconds * 1e6)), rate(kCpuUsec, 1e-4),
                          rate(kCommands), rate(kErrors), rate(kDenied), rate(kBytesIn), rate(kBytesOut),
                          signed_text(Unit::kCount, trend.keys_change), signed_text(Unit::kBytes, trend.bytes_change)});
  }
  return table;
}

std::vector<Row> largest(std::vector<Row> rows, std::size_t by) {
  std::ranges::stable_sort(rows, std::ranges::greater(), [&](const Row& row) { return descending(row.values[by]); });
  return rows;
}

TextTable key_table(const TopTenant& tenant) {
  if (!tenant.key_problem.empty()) return {{"LARGEST KEY"}, {{tenant.key_problem}}};
  TextTable table{{"LARGEST KEY", "TYPE", "DB", "MEMORY"}, {}};
  for (const BigKey& key : tenant.details.big_keys)
    table.rows.push_back({escape(key.key), key.type, std::to_string(key.db), human(Unit::kBytes, key.bytes)});
  return table;
}

TextTable prefix_table(const TenantDetails& details) {
  using namespace prefix_column;
  TextTable table{{"PREFIX", "MEMORY", "±", "KEYS", "HIT%", "EXPIRED", "EVICTED", "NO-TTL"}, {}};
  for (const Row& row : largest(details.prefixes.rows, kBytes)) {
    auto text = [&](std::size_t column) { return human(unit_of(Table::kPrefixes, column), row.values[column]); };
    table.rows.push_back({shown_title(row), text(kBytes), human_error(row.values[kBytes], row.values[kBytesError]),
                          text(kKeys), text(kHitRatio), text(kExpired), text(kEvicted), text(kKeysWithoutTtl)});
  }
  return table;
}

TextTable calls_table(const TenantDetails& details) {
  std::vector<std::pair<std::string, std::uint64_t>> commands = details.most_called();
  std::uint64_t all = 0;
  for (const auto& [name, count] : commands) all += count;
  TextTable table{{"COMMAND", "CALLS", "SHARE"}, {}};
  for (const auto& [name, count] : commands)
    table.rows.push_back(
        {name, human(Unit::kCount, count), human(Unit::kShare, count * 1000 / std::max(all, std::uint64_t{1}))});
  return table;
}

TextTable user_table(const TenantDetails& details) {
  using namespace user_column;
  TextTable table{{"USER", "CONNS", "COMMANDS", "CPU", "ERRORS", "DENIED"}, {}};
  for (const Row& row : largest(details.users.rows, kCpuUsec)) {
    std::vector<std::string> line{shown_title(row)};
    for (std::size_t column : {kConnections, kCommands, kCpuUsec, kErrors, kDenied})
      line.push_back(human(unit_of(Table::kUsers, column), row.values[column]));
    table.rows.push_back(std::move(line));
  }
  return table;
}

TextTable slow_table(const TenantDetails& details) {
  TextTable table{{"SLOW COMMAND", "CPU", "WHEN"}, {}};
  for (const SlowCommand& slow : details.slow)
    table.rows.push_back({slow.command, human(Unit::kUsec, slow.cpu_usec), local_moment(slow.unix_msec)});
  return table;
}

// So many lines of a table, the first of them its heading.
void add_table(std::vector<ScreenLine>& lines, TextTable table, std::size_t width, std::size_t count) {
  if (count < kLeastSection) return;
  std::size_t all = table.rows.size(), shown = std::min(all, count - 1);
  if (shown < all) table.header[0] += " (" + std::to_string(shown) + " of " + std::to_string(all) + ")";
  table.rows.resize(shown);
  std::string text = table.text(width);
  for (std::size_t from = 0, number = 0; from < text.size(); ++number) {
    std::size_t end = text.find('\n', from);
    lines.push_back({text.substr(from, end - from), number ? Look::kPlain : Look::kHeading});
    from = end + 1;
  }
}

void add_trend(std::vector<ScreenLine>& lines, const TopHistory& history, std::size_t width) {
  if (history.commands.size() < 2) return;
  constexpr std::size_t kText = 30;  // beside it
  std::size_t room = width > kText ? width - kText : 1;
  auto [least, most] = std::ranges::minmax(history.bytes);
  double fastest = std::ranges::max(history.commands);
  lines.push_back({"commands/s  " + sparkline(history.commands, room, 0, fastest) + "  up to " +
                   human_rate(Unit::kCount, fastest)});
  lines.push_back({"memory      " + sparkline(history.bytes, room, least, most) + "  " +
                   human(Unit::kBytes, static_cast<std::uint64_t>(least)) + " – " +
                   human(Unit::kBytes, static_cast<std::uint64_t>(most))});
}

}  // namespace

void TopHistory::take_in(const TopTenant& tenant) {
  if (!tenant.known) return;
  std::uint64_t memory = tenant.details.tenant.values[tenant_column::kBytes];
  std::optional<double> rate = tenant.details.trends[0].rates[tenant_column::kCommands];
  if (memory == kAbsent || !rate) return;
  commands.push_back(*rate);
  bytes.push_back(static_cast<double>(memory));
  if (commands.size() > kMost) commands.erase(commands.begin()), bytes.erase(bytes.begin());
}

std::string sparkline(std::span<const double> values, std::size_t width, double least, double most) {
  constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.size() > width) values = values.last(width);
  std::string text;
  for (double value : values) {
    double share = most > least ? std::clamp((value - least) / (most - least), 0.0, 1.0) : 0;
    text += kBlocks[std::lround(share * 7)];
  }
  return text;
}

std::vector<std::size_t> shared_lines(std::size_t room, const std::vector<std::size_t>& wanted) {
  std::vector<std::size_t> given(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i] >= kLeastSection && room >= kLeastSection) given[i] = kLeastSection, room -= kLeastSection;
  for (bool any = true; any && room;) {
    any = false;
    for (std::size_t i = 0; i < wanted.size() && room; ++i)
      if (given[i] && given[i] < wanted[i]) ++given[i], --room, any = true;
  }
  return given;
}

std::vector<ScreenLine> tenant_lines(const TopTenant& tenant, const TopHistory& history, std::size_t width,
                                     std::size_t count) {
  std::vector<ScreenLine> lines;
  if (!tenant.known) {
    lines.push_back({escape(tenant.name), Look::kBold});
    lines.push_back({tenant.problem.empty() ? "reading ..." : tenant.problem,
                     tenant.problem.empty() ? Look::kPlain : Look::kWarning});
    return lines;
  }
  lines.push_back({headline(tenant), Look::kBold});
  const TenantDetails& details = tenant.details;
  add_table(lines, recent_table(details), width, 1 + details.trends.size());
  add_trend(lines, history, width);
  TextTable sections[] = {key_table(tenant), prefix_table(details), slow_table(details), calls_table(details),
                          user_table(details)};
  std::vector<std::size_t> wanted;
  for (const TextTable& section : sections) wanted.push_back(section.rows.empty() ? 0 : section.rows.size() + 1);
  std::vector<std::size_t> given = shared_lines(count > lines.size() ? count - lines.size() : 0, wanted);
  for (std::size_t i = 0; i < given.size(); ++i) add_table(lines, std::move(sections[i]), width, given[i]);
  if (lines.size() > count) lines.resize(count);
  return lines;
}

}  // namespace tenants::tool
