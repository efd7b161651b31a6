#include "tool/web/download.h"

#include <nlohmann/json.hpp>

#include "module/accounting/escape.h"
#include "tool/client/printable.h"
#include "tool/exporter/metrics.h"

namespace tenants::tool::web {

namespace {

using Json = nlohmann::ordered_json;

bool is_share(const Column& column) { return column.kind == Column::kShare; }

void add_values(Json& to, const View& view, Table table, const Line& line) {
  for (std::size_t i = 0; i < columns(table).size(); ++i) {
    const Column& column = columns(table)[i];
    if (line.now[i] == kAbsent) continue;
    if (is_share(column))
      to[column.name] = static_cast<double>(line.now[i]) / 1000;
    else
      to[column.name] = line.now[i];
    if (column.kind == Column::kCounter && view.seconds > 0 && line.grown[i] != kAbsent)
      to[std::string(column.name) + "_per_second"] = static_cast<double>(line.grown[i]) / view.seconds;
  }
}

Json row_object(const View& view, Table table, const Line& line) {
  Json object{{"name", shown_name(*line.row)}, {"kind", kind_name(line.row->kind)}};
  if (table == Table::kPrefixes) object["owner"] = shown_owner(*line.row);
  add_values(object, view, table, line);
  if (line.bytes_change) object["bytes_change_5m"] = *line.bytes_change;
  return object;
}

// Without rates.
Json row_object(Table table, const Row& row) {
  return row_object(View{}, table, {.name = {}, .owner = {}, .row = &row, .now = row.values, .grown = kNothingKnown});
}

void add_trend(Json& root, const TenantParameters& of) {
  constexpr const char* kNames[] = {"bytes",
                                    "keys",
                                    "connections",
                                    "commands_per_second",
                                    "cpu_percent",
                                    "bytes_in_per_second",
                                    "bytes_out_per_second",
                                    "refused_per_second"};
  static_assert(std::size(kNames) == History::kMetrics);
  Json& trend = root["trend"] = {{"unix_seconds", of.history->times()}};
  for (std::size_t i = 0; i < std::size(kNames); ++i)  // a number that is not known is null
    trend[kNames[i]] = of.history->of(of.name, static_cast<History::Metric>(i));
}

void add_details(Json& root, const TenantDetails& details) {
  root["user_rows"] = Json::array();
  for (const Row& row : details.users.rows) root["user_rows"].push_back(row_object(Table::kUsers, row));
  root["commands_by_name"] = details.commands;
  for (const BigKey& key : details.big_keys)
    root["big_keys"].push_back({{"key", escape(key.key)},
                                {"prefix", escape(key.prefix)},
                                {"db", key.db},
                                {"type", key.type},
                                {"bytes", key.bytes},
                                {"node", printable(key.node)}});
  root["slow_commands"] = Json::array();
  for (const SlowCommand& slow : details.slow)
    root["slow_commands"].push_back({{"command", slow.command},
                                     {"cpu_usec", slow.cpu_usec},
                                     {"unix_msec", slow.unix_msec},
                                     {"node", printable(slow.node)}});
}

Json node_object(const Node& node) {
  Json object{{"node", shown_address(node.address)}, {"up", node.up}};
  if (!node.up) object["reason"] = node.failure.what();
  if (!node.up) return object;
  object["role"] = role_name(node.role);
  for (const auto& [name, text] : node.status) {
    std::uint64_t number = node.status_number(name);
    if (number != kAbsent)
      object[name] = number;
    else
      object[name] = text;
  }
  if (node.max_memory != kAbsent) object["max_memory_bytes"] = node.max_memory;
  return object;
}

std::string for_spreadsheets(std::string name) {
  if (name.empty() || std::string_view("+-@").find(name[0]) == std::string_view::npos) return name;
  static constexpr const char* kHex = "0123456789ABCDEF";
  auto byte = static_cast<unsigned char>(name[0]);
  return std::string{'%', kHex[byte >> 4], kHex[byte & 15]} + name.substr(1);
}

std::string quoted(const std::string& text) {
  std::string field = "\"";
  for (char c : text) field.append(c == '"' ? 2 : 1, c);
  return field + "\"";
}

}  // namespace

std::string json(const View& view, const Request& request) {
  const Snapshot& snapshot = view.reading->snapshot;
  auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(snapshot.taken.time_since_epoch()).count();
  Json root{{"taken_unix_seconds", static_cast<double>(taken) / 1000}, {"incomplete", snapshot.incomplete()}};
  if (view.seconds > 0) root["rate_seconds"] = view.seconds;
  for (const Node& node : snapshot.nodes) root["nodes"].push_back(node_object(node));
  root["rows"] = Json::array();
  for (const Line& line : view.lines) root["rows"].push_back(row_object(view, request.table, line));
  root["total"] = Json::object();
  add_values(root["total"], view, request.table, view.total);
  return root.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string tenant_json(const TenantParameters& of) {
  const Snapshot& snapshot = of.tenant.reading->snapshot;
  Json root = of.tenant.lines.empty() ? row_object(Table::kTenants, of.row())
                                      : row_object(of.tenant, Table::kTenants, of.tenant.lines.front());
  root["incomplete"] = snapshot.incomplete();
  if (of.tenant.seconds > 0) root["rate_seconds"] = of.tenant.seconds;
  if (of.history) add_trend(root, of);
  if (of.prefixes) {
    root["prefix_rows"] = Json::array();
    for (const Line& line : of.prefixes->lines)
      root["prefix_rows"].push_back(row_object(*of.prefixes, Table::kPrefixes, line));
  }
  root["denied"] = Json::array();
  if (of.answer && of.answer->get_denied) root["denied"].push_back("tenants.get");
  if (of.answer && of.answer->keys_denied) root["denied"].push_back("tenants.bigkeys");
  if (of.answer && of.answer->known) add_details(root, of.answer->details);
  for (const Node& node : snapshot.nodes) {
    Json object = node_object(node);
    for (const Row& row : node.rows(Table::kTenants))
      if (!is_own(row.kind) && row.name == of.name) object["tenant"] = row_object(Table::kTenants, row);
    root["nodes"].push_back(std::move(object));
  }
  return root.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string csv(const View& view, const Request& request) {
  bool prefixes = request.table == Table::kPrefixes;
  std::string text = prefixes ? "name,kind,owner" : "name,kind";
  for (const Column& column : columns(request.table)) {
    text.append(",").append(column.name);
    if (column.kind == Column::kCounter) text.append(",").append(column.name).append("_per_second");
  }
  for (const Line& line : view.lines) {
    text += "\r\n" + quoted(for_spreadsheets(shown_name(*line.row))) + ",";
    text += kind_name(line.row->kind);
    if (prefixes) text += "," + quoted(for_spreadsheets(shown_owner(*line.row)));
    Json values = Json::object();
    add_values(values, view, request.table, line);
    for (const Column& column : columns(request.table)) {
      std::string name = column.name;
      text += "," + (values.contains(name) ? values[name].dump() : "");
      if (column.kind != Column::kCounter) continue;
      name += "_per_second";
      text += "," + (values.contains(name) ? values[name].dump() : "");
    }
  }
  return text + "\r\n";
}

}  // namespace tenants::tool::web
