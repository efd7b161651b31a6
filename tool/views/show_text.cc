#include "tool/views/show_text.h"

#include <algorithm>
#include <ctime>

#include "module/accounting/escape.h"
#include "tool/client/printable.h"
#include "tool/views/format.h"
#include "tool/views/rows.h"
#include "tool/views/text_table.h"
#include "tool/views/threshold.h"

namespace tenants::tool {

namespace {

class Text {
 public:
  Text(const TenantDetails& details, Room room, bool raw_numbers)
      : details_(details),
        room_(room),
        raw_(raw_numbers),
        most_(room.lines == 0 ? 20 : std::max<std::size_t>(room.lines / 6, 3)) {}

  std::string all() const {
    std::string before =
        whole() + section(trend()) + section(users()) + section(prefixes()) + pair(uses(), databases());
    std::string after = pair(slow(), denied()) + section(nodes()) + down();
    auto used = static_cast<std::size_t>(std::ranges::count(before + after, '\n')) + 3;  // and a title, and the prompt
    std::size_t rows =
        room_.lines == 0 ? 15 : std::clamp<std::size_t>(room_.lines - std::min(used, room_.lines), 3, 15);
    return before + pair(keys(rows), commands(rows)) + after;
  }

 private:
  // An empty line, then the table, unless there is nothing in it.
  std::string section(const TextTable& table) const {
    return table.rows.empty() ? "" : "\n" + table.wrapped(room_.width);
  }

  // Beside each other on a terminal that is wide enough.
  std::string pair(const TextTable& left, const TextTable& right) const {
    if (left.rows.empty() || right.rows.empty() || room_.width == 0) return section(left) + section(right);
    constexpr std::size_t kApart = 4, kLeast = 36;
    std::string second = right.text(0);
    std::size_t width = width_of_text(second) + kApart;
    if (room_.width < width + kLeast) return section(left) + section(right);
    return "\n" + beside(left.text(room_.width - width), second, kApart);
  }

  // What there is no room for is counted.
  static void cut_rows(TextTable& table, std::size_t most) {
    if (table.rows.size() <= most) return;
    std::string rest = "... " + std::to_string(table.rows.size() - most) + " more";
    table.rows.resize(most);
    table.rows.push_back({rest});
    table.rows.back().resize(table.header.size());
  }

  std::string number(Unit unit, std::uint64_t value) const {
    if (!raw_) return human(unit, value);
    return value == kAbsent ? "-" : raw(unit, value);
  }

  std::string error(std::uint64_t value, std::uint64_t error) const {
    return raw_ ? number(Unit::kBytes, error) : human_error(value, error);
  }

  std::vector<std::string> cells(Table table, const Row& row, std::initializer_list<std::size_t> numbers) const {
    std::vector<std::string> line{shown_title(row)};
    for (std::size_t column : numbers) line.push_back(cell(table, column, row, raw_));
    return line;
  }

  // Those with most of this column.
  TextTable rows(std::vector<std::string> header, Table table, std::vector<Row> rows, std::size_t by,
                 std::initializer_list<std::size_t> numbers) const {
    TextTable text{std::move(header), {}};
    std::ranges::stable_sort(
        rows, [&](const Row& a, const Row& b) { return descending(a.values[by]) > descending(b.values[by]); });
    for (const Row& row : rows) text.rows.push_back(cells(table, row, numbers));
    cut_rows(text, most_);
    return text;
  }

  std::string whole() const {
    using namespace tenant_column;
    TextTable table{{"TENANT", "KEYS", "MEMORY", "±", "CONNS", "COMMANDS", "ERRORS", "DENIED", "CPU", "IN", "OUT"},
                    {cells(Table::kTenants, details_.tenant,
                           {kKeys, kBytes, kBytesError, kConnections, kCommands, kErrors, kDenied, kCpuUsec, kBytesIn,
                            kBytesOut})}};
    return table.wrapped(room_.width);
  }

  // A window that reaches further back than the servers remember is the time since they began, and said once.
  TextTable trend() const {
    using namespace tenant_column;
    TextTable table{{"LAST", "CPU%", "CMD/S", "READ/S", "WRITE/S", "IN/S", "OUT/S", "ERR/S", "KEYS", "GROWTH"}, {}};
    for (const Trend& trend : details_.trends) {
      auto rate = [&](std::size_t column, Unit unit, double scale = 1) -> std::string {
        if (!trend.rates[column]) return "-";
        double value = *trend.rates[column] * scale;
        return raw_ ? plain_number(value) : human_rate(unit, value);
      };
      auto change = [&](Unit unit, const std::optional<long long>& value) {
        return value ? human_change(unit, *value, raw_) : "-";
      };
      bool young = trend.seconds < 0.95 * trend.window;
      std::string label = trend.window < 60 ? "10 s" : trend.window < 300 ? "1 min" : "5 min";
      if (young) label = human(Unit::kUsec, static_cast<std::uint64_t>(trend.seconds * 1e6)) + ", since start";
      table.rows.push_back({label, rate(kCpuUsec, Unit::kCount, 1e-4), rate(kCommands, Unit::kCount),
                            rate(kReads, Unit::kCount), rate(kWrites, Unit::kCount), rate(kBytesIn, Unit::kBytes),
                            rate(kBytesOut, Unit::kBytes), rate(kErrors, Unit::kCount),
                            change(Unit::kCount, trend.keys_change), change(Unit::kBytes, trend.bytes_change)});
      if (young) break;
    }
    return table;
  }

  TextTable users() const {
    using namespace user_column;
    return rows({"USER", "CONNS", "OPENED", "COMMANDS", "READS", "WRITES", "ERRORS", "DENIED", "CPU", "SLOW"},
                Table::kUsers, details_.users.rows, kCommands,
                {kConnections, kConnectionsTotal, kCommands, kReads, kWrites, kErrors, kDenied, kCpuUsec, kSlow});
  }

  TextTable prefixes() const {
    using namespace prefix_column;
    return rows({"PREFIX", "KEYS", "MEMORY", "±", "HIT-RATIO", "EXPIRED", "EVICTED", "NO-TTL", "AVG-TTL"},
                Table::kPrefixes, details_.prefixes.rows, kBytes,
                {kKeys, kBytes, kBytesError, kHitRatio, kExpired, kEvicted, kKeysWithoutTtl, kAvgTtl});
  }

  TextTable uses() const {
    TextTable table{{"SHARED PREFIX", "USER", "READS", "WRITES", "MAY WRITE"}, {}};
    table.left = 2;
    for (const auto& [prefix, users] : details_.uses)
      for (const auto& [user, use] : users)
        table.rows.push_back({escape(prefix.first) + kind_suffix(prefix.second), escape(user),
                              number(Unit::kCount, use.reads), number(Unit::kCount, use.writes),
                              use.may_write ? "yes"
                              : own(user)   ? "owner"
                                            : ""});
    cut_rows(table, most_);
    return table;
  }

  bool own(const std::string& user) const {
    return std::ranges::find(details_.users.rows, user, &Row::name) != details_.users.rows.end();
  }

  TextTable databases() const {
    TextTable table{{"DATABASE", "KEYS", "MEMORY", "±"}, {}};
    if (details_.databases.size() < 2 || !details_.databases_known) return table;
    for (const auto& [name, one] : details_.databases)
      table.rows.push_back({std::to_string(name), number(Unit::kCount, one.keys), number(Unit::kBytes, one.bytes),
                            error(one.bytes, one.bytes_error)});
    cut_rows(table, most_);
    return table;
  }

  TextTable commands(std::size_t most) const {
    std::vector<std::pair<std::string, std::uint64_t>> commands = details_.most_called();
    std::uint64_t all = 0, rest = 0;
    for (const auto& [name, count] : commands) all += count;
    TextTable table{{"COMMAND", "CALLS", "SHARE"}, {}};
    auto add = [&](const std::string& name, std::uint64_t count) {
      table.rows.push_back(
          {name, number(Unit::kCount, count), human(Unit::kShare, count * 1000 / std::max<std::uint64_t>(all, 1))});
    };
    std::size_t shown = commands.size() > most && room_.lines ? most - 1 : most;
    for (std::size_t i = 0; i < commands.size(); ++i) {
      if (i < shown)
        add(commands[i].first, commands[i].second);
      else
        rest += commands[i].second;
    }
    if (commands.size() > shown) add("... " + std::to_string(commands.size() - shown) + " more", rest);
    return table;
  }

  bool one_node() const { return details_.nodes.nodes.size() == 1; }

  TextTable keys(std::size_t most) const {
    TextTable table{{"LARGEST KEY", "TYPE", "DB", "MEMORY"}, {}};
    if (!one_node()) table.header.emplace_back("NODE");
    for (const BigKey& key : details_.big_keys) {
      table.rows.push_back({escape(key.key), key.type, std::to_string(key.db), number(Unit::kBytes, key.bytes)});
      if (!one_node()) table.rows.back().push_back(printable(key.node));
    }
    cut_rows(table, table.rows.size() > most ? most - 1 : most);
    return table;
  }

  TextTable slow() const {
    TextTable table{{"SLOW COMMAND", "CPU", "WHEN"}, {}};
    if (!one_node()) table.header.emplace_back("NODE");
    for (const SlowCommand& command : details_.slow) {
      table.rows.push_back({command.command, number(Unit::kUsec, command.cpu_usec), local_moment(command.unix_msec)});
      if (!one_node()) table.rows.back().push_back(printable(command.node));
    }
    cut_rows(table, most_);
    return table;
  }

  TextTable denied() const {
    TextTable table{{"DENIED FOR", "TIMES"}, {}};
    for (std::size_t i = tenant_column::kDeniedAuth; i <= tenant_column::kDeniedDatabase; ++i) {
      std::uint64_t times = details_.tenant.values[i];
      std::string_view reason = std::string_view(columns(Table::kTenants)[i].name).substr(sizeof "denied");
      if (times != kAbsent && times) table.rows.push_back({std::string(reason), number(Unit::kCount, times)});
    }
    return table;
  }

  TextTable nodes() const {
    using namespace tenant_column;
    TextTable table{{"NODE", "ROLE", "KEYS", "SHARE", "MEMORY", "CONNS", "COMMANDS", "CPU"}, {}};
    if (one_node()) return table;
    table.left = 2;
    std::uint64_t all = details_.tenant.values[kKeys];
    for (const Node& node : details_.nodes.nodes) {
      Row row = node.rows(Table::kTenants).empty() ? Row{} : node.rows(Table::kTenants).front();
      std::vector<std::string> line = cells(Table::kTenants, row, {kKeys, kBytes, kConnections, kCommands, kCpuUsec});
      line[0] = printable(node.address);
      line.insert(line.begin() + 1, node.up ? role_name(node.role) : "down");
      bool shared = node.data_source && all != kAbsent && all > 0 && row.values[kKeys] != kAbsent;
      line.insert(line.begin() + 3, shared ? human(Unit::kShare, row.values[kKeys] * 1000 / all) : "-");
      table.rows.push_back(std::move(line));
    }
    return table;
  }

  std::string down() const {
    std::string text;
    for (const Node& node : details_.nodes.nodes) {
      std::string line = printable(node.address) + ": down: " + node.failure.what();
      if (!node.up) text += (room_.width ? cut(line, room_.width) : line) + "\n";
    }
    return text;
  }

  const TenantDetails& details_;
  Room room_;
  bool raw_;
  std::size_t most_;  // rows of a table
};

}  // namespace

std::string show_text(const TenantDetails& details, Room room, bool raw_numbers) {
  return Text(details, room, raw_numbers).all();
}

}  // namespace tenants::tool
