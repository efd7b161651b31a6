// `list`: all tenants, users or prefixes, with what they use.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <unordered_map>

#include "tool/client/printable.h"
#include "tool/fleet/window.h"
#include "tool/snapshot/sum.h"
#include "tool/views/format.h"
#include "tool/views/json.h"
#include "tool/views/output.h"
#include "tool/views/rows.h"
#include "tool/views/suggest.h"
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
std::vector<std::size_t> shown_columns(Table table, bool wide, bool growth) {
  if (wide) {
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < columns(table).size(); ++i)
      if (!std::string_view(columns(table)[i].name).starts_with("denied_")) numbers.push_back(i);
    return numbers;
  }
  switch (table) {
    case Table::kTenants: {
      using namespace tenant_column;
      if (growth) return {kKeys, kBytes, kBytesError, kConnections, kCommands, kCpuUsec};
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

constexpr std::size_t kName = kMostColumns, kGrowth = kName + 1;  // that are no columns of the table

// Of a tenant's memory, in the last five minutes; by name as it is shown.
using Growth = std::unordered_map<std::string, std::optional<long long>>;
using Parts = std::unordered_map<std::string, Largest>;  // by title

// What is shown beside the columns of the table.
struct Beside {
  std::optional<Growth> growth;
  Parts parts;

  const Largest* part(const Row& row) const {
    auto found = parts.find(shown_title(row));
    return found == parts.end() ? nullptr : &found->second;
  }
};

std::size_t sort_column(const ListOptions& options) {
  if (options.sort.empty()) return default_order(options.table);
  std::string sort = options.sort;
  for (char& c : sort) c = static_cast<char>(c == '-' ? '_' : c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  if (sort == "name") return kName;
  std::vector<std::string> names{"name"};
  if (options.table == Table::kTenants) {
    if (sort == "growth" || sort == "bytes_change_5m") return kGrowth;
    names.emplace_back("growth");
  }
  for (std::size_t i = 0; i < columns(options.table).size(); ++i) {
    std::string title = heading(options.table, i);
    for (char& c : title) c = static_cast<char>(c == '-' ? '_' : c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    if (sort == title || sort == columns(options.table)[i].name) return i;
    names.emplace_back(columns(options.table)[i].name);
  }
  std::string allowed = names[0];
  for (std::size_t i = 1; i < names.size(); ++i) allowed.append(", ").append(names[i]);
  names.insert(names.end(), {"memory", "conns", "cpu"});
  std::string meant = did_you_mean(sort, names);
  throw Failure(Exit::kUsage, "--sort: unknown column" + (meant.empty() ? ", allowed are " + allowed : meant));
}

// The largest first; what is not known last, equals by name. The module's own come after all others.
void sort(std::vector<Row>& rows, const ListOptions& options, const std::optional<Growth>& growth) {
  std::size_t column = sort_column(options);
  if (column == kName && options.reverse) std::ranges::reverse(rows);
  auto in_order = [&](const auto& left, bool left_known, const auto& right, bool right_known) {
    if (!left_known || !right_known) return left_known && !right_known;
    return options.reverse ? left < right : left > right;
  };
  std::ranges::stable_sort(rows, [&](const Row& a, const Row& b) {
    if (is_own(a.kind) != is_own(b.kind)) return is_own(b.kind);
    if (column == kName) return false;
    if (column == kGrowth) {
      const auto &left = growth->at(shown_name(a)), &right = growth->at(shown_name(b));
      return in_order(left, left.has_value(), right, right.has_value());
    }
    std::uint64_t left = a.values[column], right = b.values[column];
    return in_order(left, left != kAbsent, right, right != kAbsent);
  });
}

// A server that refuses is an error only where nothing was asked for but this.
std::optional<Growth> read_growth(Fleet& fleet, const Snapshot& snapshot, const std::vector<Row>& rows, bool needed) {
  std::vector<Window> windows;
  try {
    windows = read_windows(fleet, {{300, {"bytes_change", "bytes"}}})[0];
  } catch (const Failure&) {
    if (needed) throw;
    return std::nullopt;
  }
  Growth growth;
  for (const Row& row : rows) growth[shown_name(row)] = change_of(windows, snapshot, row, tenant_column::kBytes);
  return growth;
}

// Of all these, but for overhead.
std::optional<long long> total_growth(const Growth& growth, std::span<const Row> rows) {
  long long total = 0;
  for (const Row& row : rows) {
    const std::optional<long long>& change = growth.at(shown_name(row));
    if (!change && row.kind != Kind::kOverhead) return std::nullopt;
    total += change.value_or(0);
  }
  return total;
}

std::string growth_cell(const std::optional<long long>& change, bool raw_numbers) {
  return change ? human_change(Unit::kBytes, *change, raw_numbers) : "-";
}

std::string as_table(const ListOptions& options, std::span<const Row> all, std::size_t shown, const Beside& beside) {
  TextTable table;
  const std::optional<Growth>& growth = beside.growth;
  bool wide = options.format == "wide", owners = wide && options.table != Table::kTenants;
  std::vector<std::size_t> numbers = shown_columns(options.table, wide, growth.has_value());
  const char* names[] = {"TENANT", "USER", "PREFIX"};
  table.header = {names[static_cast<std::size_t>(options.table)]};
  if (owners) table.header.push_back(options.table == Table::kUsers ? "TENANT" : "OWNER"), table.left = 2;
  for (std::size_t column : numbers) {
    table.header.push_back(heading(options.table, column));
    if (growth && column == tenant_column::kBytesError) table.header.emplace_back("GROWTH");
  }
  if (!beside.parts.empty()) table.header.emplace_back("LARGEST-NODE");
  auto add = [&](const std::string& name, const Row& row, const std::string& grew, const Largest* part) {
    std::vector<std::string> line{name};
    if (owners) line.push_back(shown_owner(row));
    for (std::size_t column : numbers) {
      line.push_back(cell(options.table, column, row, options.raw));
      if (growth && column == tenant_column::kBytesError) line.push_back(grew);
    }
    if (!beside.parts.empty())
      line.push_back(part ? human(Unit::kShare, part->share()) + " " + printable(part->node->address) : "-");
    table.rows.push_back(std::move(line));
  };
  for (const Row& row : all.first(shown))
    add(shown_title(row), row, growth ? growth_cell(growth->at(shown_name(row)), options.raw) : "", beside.part(row));
  auto add_sum = [&](const std::string& name, std::span<const Row> rows) {
    add(name, total(options.table, {rows.begin(), rows.end()}),
        growth ? growth_cell(total_growth(*growth, rows), options.raw) : "", nullptr);
  };
  std::span<const Row> rest = all.subspan(shown);
  if (!rest.empty()) add_sum("... " + std::to_string(rest.size()) + " more", rest);
  add_sum("total", all);
  return table.text(output_width());
}

std::string as_csv(Table table, std::span<const Row> rows, const Beside& beside) {
  const std::optional<Growth>& growth = beside.growth;
  std::string text = "name,kind";
  if (table != Table::kTenants) text += table == Table::kUsers ? ",tenant" : ",owner";
  for (const Column& column : columns(table)) text.append(",").append(column.name);
  if (growth) text += ",bytes_change_5m";
  if (!beside.parts.empty()) text += ",largest_node,largest_node_share";
  text += "\n";
  for (const Row& row : rows) {
    text.append(shown_name(row)).append(",").append(kind_name(row.kind));
    if (table != Table::kTenants) text.append(",").append(shown_owner(row));
    for (std::size_t i = 0; i < columns(table).size(); ++i)
      text.append(",").append(raw(unit_of(table, i), row.values[i]));
    if (growth) {
      const std::optional<long long>& change = growth->at(shown_name(row));
      text += "," + (change ? std::to_string(*change) : "");
    }
    if (const Largest* part = beside.part(row))
      text += "," + printable(part->node->address) + "," + raw(Unit::kShare, part->share());
    else if (!beside.parts.empty())
      text += ",,";
    text += "\n";
  }
  return text;
}

std::string as_json(const ListOptions& options, const Snapshot& snapshot, std::span<const Row> all, std::size_t shown,
                    const Beside& beside) {
  const std::optional<Growth>& growth = beside.growth;
  Json json;
  json["complete"] = snapshot.incomplete().empty();
  if (std::string mode = snapshot.keys_mode(); !mode.empty()) json["keys_mode"] = mode;
  json["nodes"] = nodes_to_json(snapshot);
  Json& list = json["rows"] = Json::array();
  auto add_growth = [&](Json& to, const std::optional<long long>& change) {
    if (change) to["bytes_change_5m"] = *change;
  };
  for (const Row& row : all.first(shown)) {
    list.push_back(to_json(options.table, row));
    if (growth) add_growth(list.back(), growth->at(shown_name(row)));
    if (const Largest* part = beside.part(row)) {
      list.back()["largest_node"] = printable(part->node->address);
      list.back()["largest_node_share"] = static_cast<double>(part->share()) / 1000;
    }
  }
  json["total"] = to_json(options.table, total(options.table, {all.begin(), all.end()}));
  if (growth) add_growth(json["total"], total_growth(*growth, all));
  json["total"].erase("name");
  json["total"].erase("kind");
  return json.dump(1) + "\n";
}

int list(const ConnectionOptions& connection, const ListOptions& options) {
  bool by_growth = sort_column(options) == kGrowth;  // before anybody is asked
  Fleet fleet(chosen_targets(connection), connection.timeout());
  Table table = options.table;
  Snapshot snapshot = fleet.read(only(table));
  int code = report_incomplete(snapshot);
  std::vector<Row> rows = sum(snapshot, table).rows;
  std::erase_if(rows, [&](const Row& row) { return !passes_filter(row.name, shown_name(row), options.filter); });
  Beside beside;
  if (table == Table::kTenants && (by_growth || options.format != "table"))
    beside.growth = read_growth(fleet, snapshot, rows, by_growth);
  if (options.format != "table") beside.parts = largest_parts(snapshot, table);
  sort(rows, options, beside.growth);
  std::size_t shown = options.most ? std::min(options.most, rows.size()) : rows.size();
  if (options.format == "json")
    write_out(as_json(options, snapshot, rows, shown, beside));
  else if (options.format == "csv")
    write_out(as_csv(table, std::span(rows).first(shown), beside));
  else
    write_out(as_table(options, rows, shown, beside));
  return code;
}

}  // namespace

void add_table(CLI::App& app, Table& table) {
  auto read = [&table](const std::string& text) {
    for (auto [name, value] :
         {std::pair("tenants", Table::kTenants), {"users", Table::kUsers}, {"prefixes", Table::kPrefixes}})
      if (text == name) return table = value, true;
    const std::vector<std::string> names{"tenants", "users", "prefixes"};
    throw CLI::ValidationError("there are only tenants, users and prefixes to be shown" + did_you_mean(text, names));
  };
  app.add_option_function<std::string>("what", read, "tenants, users or prefixes")->type_name("");
}

Subcommand add_list(CLI::App& program, const ConnectionOptions& connection) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* app = program.add_subcommand("list", "List tenants, users or prefixes, and what each of them uses");
  app->footer(
      "  valkey-tenants list                             who fills the memory\n"
      "  valkey-tenants list --sort growth -n 5          whose memory grew most in the last five minutes\n"
      "  valkey-tenants list --sort connections -n 10    who has most connections\n"
      "  valkey-tenants list prefixes --filter cart      some prefixes\n"
      "  valkey-tenants -c -h 10.0.0.1 list -o json      a whole cluster, for a program");
  add_table(*app, options->table);
  app->add_option("--sort", options->sort, "Column or its heading, the largest first; growth; or name")
      ->type_name("COLUMN");
  app->add_flag("-r,--reverse", options->reverse, "The smallest first");
  app->add_option("--filter", options->filter, "Only names that contain this, or match it if it has * ? [")
      ->type_name("TEXT");
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
