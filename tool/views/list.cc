// `list`: all tenants, users or prefixes, with what they use.

#include <CLI/CLI.hpp>
#include <algorithm>

#include "module/accounting/glob.h"
#include "tool/fleet/fleet.h"
#include "tool/snapshot/sum.h"
#include "tool/views/format.h"
#include "tool/views/json.h"
#include "tool/views/output.h"
#include "tool/views/text_table.h"
#include "tool/views/views.h"

namespace tenants::tool {

namespace {

struct ListOptions {
  Table table = Table::kTenants;
  std::string sort, filter, format = "table";
  std::size_t most = 0;
  bool reverse = false, raw = false;
};

// What a table of 80 columns has room for; `wide` has all but the reasons of denials.
std::vector<std::size_t> shown_columns(Table table, bool wide) {
  if (wide) {
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < columns(table).size(); ++i)
      if (!std::string_view(columns(table)[i].name).starts_with("denied_")) numbers.push_back(i);
    return numbers;
  }
  switch (table) {
    case Table::kTenants: {
      using namespace tenant_column;
      return {kKeys, kBytes, kBytesError, kConnections, kCommands, kCpuUsec, kBytesIn, kBytesOut};
    }
    case Table::kUsers: {
      using namespace user_column;
      return {kConnections, kCommands, kReads, kWrites, kErrors, kDenied, kCpuUsec, kBytesIn, kBytesOut};
    }
    default: {
      using namespace prefix_column;
      return {kKeys, kBytes, kBytesError, kHitRatio, kExpired, kEvicted, kKeysWithoutTtl, kAvgTtl};
    }
  }
}

std::size_t default_order(Table table) {
  switch (table) {
    case Table::kTenants:
      return tenant_column::kBytes;
    case Table::kUsers:
      return user_column::kCommands;
    default:
      return prefix_column::kBytes;
  }
}

std::size_t sort_column(const ListOptions& options) {
  if (options.sort.empty()) return default_order(options.table);
  if (std::optional<std::size_t> column = find_column(options.table, options.sort)) return *column;
  std::string allowed = "name";
  for (const Column& column : columns(options.table)) allowed.append(", ").append(column.name);
  throw Failure(Exit::kUsage, "--sort: unknown column, allowed are " + allowed);
}

// The largest first; what is not known last, equals by name.
void sort(std::vector<Row>& rows, const ListOptions& options) {
  if (options.sort == "name") {
    if (options.reverse) std::ranges::reverse(rows);
    return;
  }
  std::size_t column = sort_column(options);
  std::ranges::stable_sort(rows, [&](const Row& a, const Row& b) {
    std::uint64_t left = a.values[column], right = b.values[column];
    if (left == kAbsent || right == kAbsent) return left != kAbsent && right == kAbsent;
    return options.reverse ? left < right : left > right;
  });
}

std::string cell(Table table, std::size_t column, const Row& row, bool raw_numbers) {
  if (raw_numbers) {
    std::string text = raw(unit_of(table, column), row.values[column]);
    return text.empty() ? "-" : text;
  }
  bool is_error = std::string_view(columns(table)[column].name) == "bytes_error";
  if (is_error && row.kind == Kind::kOverhead) return "-";  // is no estimate
  if (is_error) return human_error(row.values[column - 1], row.values[column]);
  return human(unit_of(table, column), row.values[column]);
}

std::string heading(Table table, std::size_t column) {
  std::string name = columns(table)[column].name;
  if (name == "bytes_error") return "±";
  if (name == "cpu_usec") return "CPU";
  if (name == "bytes") return "MEMORY";
  if (name == "connections") return "CONNS";
  if (name == "keys_without_ttl") return "NO-TTL";
  if (name == "avg_ttl_msec") return "AVG-TTL";
  if (name == "hits_sampled" || name == "misses_sampled") name.resize(name.find('_'));
  for (char& c : name) c = static_cast<char>(c == '_' ? '-' : c & ~0x20);
  return name;
}

std::string as_table(const ListOptions& options, const std::vector<Row>& rows, std::size_t hidden, const Row* rest,
                     const Row& all) {
  TextTable table;
  std::vector<std::size_t> numbers = shown_columns(options.table, options.format == "wide");
  bool owners = options.format == "wide" && options.table != Table::kTenants;
  const char* names[] = {"TENANT", "USER", "PREFIX"};
  table.header = {names[static_cast<std::size_t>(options.table)]};
  if (owners) table.header.push_back(options.table == Table::kUsers ? "TENANT" : "OWNER"), table.left = 2;
  for (std::size_t column : numbers) table.header.push_back(heading(options.table, column));
  auto add = [&](const std::string& name, const Row& row) {
    std::vector<std::string> line{name};
    if (owners) line.push_back(shown_owner(row));
    for (std::size_t column : numbers) line.push_back(cell(options.table, column, row, options.raw));
    table.rows.push_back(std::move(line));
  };
  for (const Row& row : rows) add(shown_title(row), row);
  if (rest) add("... " + std::to_string(hidden) + " more", *rest);
  add("total", all);
  return table.text(output_width());
}

std::string as_csv(Table table, const std::vector<Row>& rows) {
  std::string text = "name,kind";
  if (table != Table::kTenants) text += table == Table::kUsers ? ",tenant" : ",owner";
  for (const Column& column : columns(table)) text.append(",").append(column.name);
  text += "\n";
  for (const Row& row : rows) {
    text.append(shown_name(row)).append(",").append(kind_name(row.kind));
    if (table != Table::kTenants) text.append(",").append(shown_owner(row));
    for (std::size_t i = 0; i < columns(table).size(); ++i)
      text.append(",").append(raw(unit_of(table, i), row.values[i]));
    text += "\n";
  }
  return text;
}

std::string as_json(const ListOptions& options, const Snapshot& snapshot, const std::vector<Row>& rows,
                    const Row& all) {
  Json json;
  json["complete"] = snapshot.incomplete().empty();
  if (std::string mode = snapshot.keys_mode(); !mode.empty()) json["keys_mode"] = mode;
  json["nodes"] = nodes_to_json(snapshot);
  Json& list = json["rows"] = Json::array();
  for (const Row& row : rows) list.push_back(to_json(options.table, row));
  json["total"] = to_json(options.table, all);
  json["total"].erase("name");
  json["total"].erase("kind");
  return json.dump(1) + "\n";
}

int list(const ConnectionOptions& connection, const ListOptions& options) {
  if (options.sort != "name") sort_column(options);  // before anybody is asked
  Fleet fleet(chosen_targets(connection), connection.timeout());
  Table table = options.table;
  Snapshot snapshot = fleet.read(
      {.tenants = table == Table::kTenants, .users = table == Table::kUsers, .prefixes = table == Table::kPrefixes});
  int code = report_incomplete(snapshot);
  std::vector<Row> rows = sum(snapshot, table).rows;
  if (!options.filter.empty()) std::erase_if(rows, [&](const Row& row) { return !matches(options.filter, row.name); });
  sort(rows, options);
  Row all = total(table, rows), rest;
  std::size_t hidden = options.most && rows.size() > options.most ? rows.size() - options.most : 0;
  if (hidden) {
    rest = total(table, {rows.end() - static_cast<std::ptrdiff_t>(hidden), rows.end()});
    rows.resize(options.most);
  }
  if (options.format == "json")
    write_out(as_json(options, snapshot, rows, all));
  else if (options.format == "csv")
    write_out(as_csv(table, rows));
  else
    write_out(as_table(options, rows, hidden, hidden ? &rest : nullptr, all));
  return code;
}

}  // namespace

void add_table(CLI::App& app, Table& table) {
  auto read = [&table](const std::string& text) {
    for (auto [name, value] :
         {std::pair("tenants", Table::kTenants), {"users", Table::kUsers}, {"prefixes", Table::kPrefixes}})
      if (text == name) return table = value, true;
    throw Failure(Exit::kUsage, "there are only tenants, users and prefixes to be shown");
  };
  app.add_option_function<std::string>("what", read, "tenants, users or prefixes")->type_name("");
}

Subcommand add_list(CLI::App& program, const ConnectionOptions& connection) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* app = program.add_subcommand("list", "List tenants, users or prefixes, and what each of them uses");
  app->footer(
      "  valkey-tenants list                             who fills the memory\n"
      "  valkey-tenants list --sort connections -n 10    who has most connections\n"
      "  valkey-tenants list prefixes --filter 'app1*'   some prefixes\n"
      "  valkey-tenants -c -h 10.0.0.1 list -o json      a whole cluster, for a program");
  add_table(*app, options->table);
  app->add_option("--sort", options->sort, "Column, the largest first; or name")->type_name("COLUMN");
  app->add_flag("-r,--reverse", options->reverse, "The smallest first");
  app->add_option("--filter", options->filter, "Only names that match, as in KEYS")->type_name("GLOB");
  app->add_option("-n,--rows", options->most, "So many rows; the others as one")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 31).description(""));
  app->add_option("-o,--output", options->format, "table, wide (all columns), json or csv")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"table", "wide", "json", "csv"}).description(""));
  app->add_flag("--bytes", options->raw, "All digits, in base units");
  return {app, [&connection, options] { return list(connection, *options); }};
}

}  // namespace tenants::tool
