// `show`: all that is known of one tenant.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>

#include "module/accounting/escape.h"
#include "tool/client/printable.h"
#include "tool/fleet/tenant.h"
#include "tool/views/format.h"
#include "tool/views/json.h"
#include "tool/views/output.h"
#include "tool/views/text_table.h"
#include "tool/views/views.h"

namespace tenants::tool {

namespace {

constexpr std::size_t kMostCommands = 15, kMostRows = 20;  // of a list; JSON has all

// A section: an empty line, then the table, unless there is nothing in it.
void add_section(std::string& text, const TextTable& table) {
  if (!table.rows.empty()) text += "\n" + table.text(output_width());
}

std::vector<std::string> cells(Table table, const Row& row, std::initializer_list<std::size_t> numbers) {
  std::vector<std::string> line{shown_title(row)};
  for (std::size_t column : numbers) {
    bool is_error = std::string_view(columns(table)[column].name) == "bytes_error";
    line.push_back(is_error ? human_error(row.values[column - 1], row.values[column])
                            : human(unit_of(table, column), row.values[column]));
  }
  return line;
}

// Those with most of this column, and how many are left out.
void add_rows(TextTable& into, Table table, std::vector<Row> rows, std::size_t by,
              std::initializer_list<std::size_t> numbers) {
  std::ranges::stable_sort(
      rows, [&](const Row& a, const Row& b) { return descending(a.values[by]) > descending(b.values[by]); });
  for (const Row& row : rows)
    if (into.rows.size() < kMostRows) into.rows.push_back(cells(table, row, numbers));
  if (rows.size() > kMostRows) {
    into.rows.push_back({"... " + std::to_string(rows.size() - kMostRows) + " more"});
    into.rows.back().resize(into.header.size());
  }
}

TextTable trend_table(const TenantDetails& details) {
  using namespace tenant_column;
  TextTable table{{"LAST", "CPU%", "CMD/S", "READ/S", "WRITE/S", "IN/S", "OUT/S", "ERR/S", "KEYS", "MEMORY"}, {}};
  auto signed_change = [](Unit unit, const std::optional<long long>& change) -> std::string {
    if (!change) return "-";
    std::string size = human(unit, static_cast<std::uint64_t>(*change < 0 ? -*change : *change));
    return (*change < 0 ? "-" : *change > 0 ? "+" : "") + size;
  };
  for (const Trend& trend : details.trends) {
    auto rate = [&](std::size_t column, Unit unit, double scale = 1) {
      return trend.rates[column] ? human_rate(unit, *trend.rates[column] * scale) : "-";
    };
    table.rows.push_back({human(Unit::kUsec, static_cast<std::uint64_t>(trend.seconds * 1e6)),
                          rate(kCpuUsec, Unit::kCount, 1e-4), rate(kCommands, Unit::kCount), rate(kReads, Unit::kCount),
                          rate(kWrites, Unit::kCount), rate(kBytesIn, Unit::kBytes), rate(kBytesOut, Unit::kBytes),
                          rate(kErrors, Unit::kCount), signed_change(Unit::kCount, trend.keys_change),
                          signed_change(Unit::kBytes, trend.bytes_change)});
  }
  return table;
}

TextTable command_table(const TenantDetails& details) {
  std::vector<std::pair<std::string, std::uint64_t>> commands(details.commands.begin(), details.commands.end());
  std::ranges::stable_sort(commands, std::ranges::greater(), &std::pair<std::string, std::uint64_t>::second);
  std::uint64_t all = 0;
  for (const auto& [name, count] : commands) all += count;
  TextTable table{{"COMMAND", "CALLS", "SHARE"}, {}};
  std::uint64_t rest = 0;
  auto add = [&](const std::string& name, std::uint64_t count) {
    table.rows.push_back({name, human(Unit::kCount, count), human(Unit::kShare, count * 1000 / all)});
  };
  for (const auto& [name, count] : commands) {
    if (table.rows.size() < kMostCommands)
      add(name, count);
    else
      rest += count;
  }
  if (rest) add("... " + std::to_string(commands.size() - kMostCommands) + " more", rest);
  return table;
}

std::string moment(std::uint64_t unix_msec) {
  auto time = static_cast<std::time_t>(unix_msec / 1000);
  std::tm local{};
  localtime_r(&time, &local);
  char text[32];
  std::strftime(text, sizeof text, "%F %T", &local);
  return text;
}

std::string as_text(const TenantDetails& details) {
  std::string text;
  {
    using namespace tenant_column;
    TextTable table{
        {"TENANT", "KEYS", "MEMORY", "±", "CONNS", "COMMANDS", "ERRORS", "DENIED", "CPU", "BYTES-IN", "BYTES-OUT"},
        {cells(
            Table::kTenants, details.tenant,
            {kKeys, kBytes, kBytesError, kConnections, kCommands, kErrors, kDenied, kCpuUsec, kBytesIn, kBytesOut})}};
    text += table.text(output_width());
  }
  add_section(text, trend_table(details));
  {
    using namespace user_column;
    TextTable table{{"USER", "CONNS", "OPENED", "COMMANDS", "READS", "WRITES", "ERRORS", "DENIED", "CPU", "SLOW"}, {}};
    add_rows(table, Table::kUsers, details.users.rows, kCommands,
             {kConnections, kConnectionsTotal, kCommands, kReads, kWrites, kErrors, kDenied, kCpuUsec, kSlow});
    add_section(text, table);
  }
  {
    using namespace prefix_column;
    TextTable table{{"PREFIX", "KEYS", "MEMORY", "±", "HIT-RATIO", "EXPIRED", "EVICTED", "NO-TTL", "AVG-TTL"}, {}};
    add_rows(table, Table::kPrefixes, details.prefixes.rows, kBytes,
             {kKeys, kBytes, kBytesError, kHitRatio, kExpired, kEvicted, kKeysWithoutTtl, kAvgTtl});
    add_section(text, table);
  }
  add_section(text, command_table(details));
  TextTable denied{{"DENIED FOR", "TIMES"}, {}};
  for (std::size_t i = tenant_column::kDeniedAuth; i <= tenant_column::kDeniedDatabase; ++i) {
    std::uint64_t times = details.tenant.values[i];
    std::string_view reason = std::string_view(columns(Table::kTenants)[i].name).substr(sizeof "denied");
    if (times != kAbsent && times) denied.rows.push_back({std::string(reason), human(Unit::kCount, times)});
  }
  add_section(text, denied);
  TextTable keys{{"LARGEST KEY", "TYPE", "DB", "MEMORY", "NODE"}, {}};
  for (const BigKey& key : details.big_keys)
    keys.rows.push_back(
        {escape(key.key), key.type, std::to_string(key.db), human(Unit::kBytes, key.bytes), printable(key.node)});
  add_section(text, keys);
  TextTable slow{{"SLOW COMMAND", "CPU", "WHEN", "NODE"}, {}};
  for (const SlowCommand& command : details.slow)
    if (slow.rows.size() < kMostRows)
      slow.rows.push_back(
          {command.command, human(Unit::kUsec, command.cpu_usec), moment(command.unix_msec), printable(command.node)});
  add_section(text, slow);
  using namespace tenant_column;
  TextTable nodes{{"NODE", "ROLE", "KEYS", "MEMORY", "CONNS", "COMMANDS", "CPU"}, {}};
  nodes.left = 2;
  for (const Node& node : details.nodes.nodes) {
    if (!node.up) continue;
    Row row = node.rows(Table::kTenants).empty() ? Row{} : node.rows(Table::kTenants).front();
    std::vector<std::string> line = cells(Table::kTenants, row, {kKeys, kBytes, kConnections, kCommands, kCpuUsec});
    line[0] = printable(node.address);
    line.insert(line.begin() + 1, role_name(node.role));
    nodes.rows.push_back(std::move(line));
  }
  if (nodes.rows.size() > 1) add_section(text, nodes);
  return text;
}

std::string as_json(const TenantDetails& details) {
  Json json = to_json(Table::kTenants, details.tenant);
  json["complete"] = details.nodes.incomplete().empty();
  for (const Trend& trend : details.trends) {
    Json one{{"window_seconds", trend.window}, {"seconds", trend.seconds}};
    for (std::size_t i = 0; i < columns(Table::kTenants).size(); ++i)
      if (trend.rates[i]) one[columns(Table::kTenants)[i].name + std::string("_per_second")] = *trend.rates[i];
    if (trend.keys_change) one["keys_change"] = *trend.keys_change;
    if (trend.bytes_change) one["bytes_change"] = *trend.bytes_change;
    json["trend"].push_back(std::move(one));
  }
  auto add_rows = [&](const char* name, Table table, const std::vector<Row>& rows) {
    json[name] = Json::array();
    for (const Row& row : rows) json[name].push_back(to_json(table, row));
  };
  // "users" and "prefixes" are the numbers of them
  add_rows("user_rows", Table::kUsers, details.users.rows);
  add_rows("prefix_rows", Table::kPrefixes, details.prefixes.rows);
  json["commands_by_name"] = details.commands;
  json["big_keys"] = Json::array();
  for (const BigKey& key : details.big_keys)
    json["big_keys"].push_back({{"key", escape(key.key)},
                                {"prefix", escape(key.prefix)},
                                {"db", key.db},
                                {"type", key.type},
                                {"bytes", key.bytes},
                                {"node", printable(key.node)}});
  json["slow_commands"] = Json::array();
  for (const SlowCommand& slow : details.slow)
    json["slow_commands"].push_back({{"command", slow.command},
                                     {"cpu_usec", slow.cpu_usec},
                                     {"unix_msec", slow.unix_msec},
                                     {"node", printable(slow.node)}});
  json["nodes"] = nodes_to_json(details.nodes);
  for (std::size_t i = 0; i < details.nodes.nodes.size(); ++i)
    for (const Row& row : details.nodes.nodes[i].rows(Table::kTenants))
      json["nodes"][i]["tenant"] = to_json(Table::kTenants, row);
  return json.dump(1) + "\n";
}

}  // namespace

Subcommand add_show(CLI::App& program, const ConnectionOptions& connection) {
  struct Options {
    std::string name, format = "text";
  };
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("show", "Show all that is known of one tenant");
  app->footer(
      "  valkey-tenants show app1\n"
      "  valkey-tenants -c -h 10.0.0.1 show app1 -o json");
  app->add_option("tenant", options->name, "Its name, as list shows it")->required()->type_name("");
  app->add_option("-o,--output", options->format, "text or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}).description(""));
  return {app, [&connection, options] {
            Fleet fleet(chosen_targets(connection), connection.timeout());
            // What list shows can be given back; whatever is no such text is meant as it is.
            TenantDetails details = read_tenant(fleet, unescape(options->name).value_or(options->name));
            int code = report_incomplete(details.nodes);
            write_out(options->format == "json" ? as_json(details) : as_text(details));
            return code;
          }};
}

}  // namespace tenants::tool
